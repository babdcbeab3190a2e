import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { NUMBER, startTestHarness, type Harness } from '../testing/test-harness.ts';
import type { FaultsInput } from './schema.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await startTestHarness({ clock: 'virtual' });
});
afterEach(() => harness.reset());
afterAll(() => harness.close());

const call = async (): Promise<string> => {
  const { uuid } = await harness.vonage.voice.createOutboundCall({
    to: [{ type: 'phone', number: '447700900200' }],
    from: { type: 'phone', number: NUMBER },
    ncco: [{ action: 'conversation', name: 'r' }],
  } as never);
  await harness.client.advanceClock(1_000);
  return uuid;
};
const countLegsUp = async (): Promise<number> => (await harness.client.ledger()).up;

const MAX_REPLY_WAIT_MS = 30_000;
/** Time after the arrival of a request within which no reply counts as silence. */
const MAX_SILENT_WAIT_MS = 1_000;

/**
 * Hangs up by plain HTTP. The timeout starts when the request has arrived. Returns a status,
 * 'closed' or 'silent'.
 */
async function hangUp(
  uuid: string,
  requestArrived: Promise<unknown> = Promise.resolve(),
  timeoutMs = MAX_REPLY_WAIT_MS,
): Promise<number | string> {
  // Reuses the Authorization header of the SDK's last create-call request.
  const authorization = (await harness.client.restLog({ route: 'create-call' })).at(-1)?.headers.authorization ?? '';
  const abortController = new AbortController();
  void requestArrived.then(() =>
    AbortSignal.timeout(timeoutMs).addEventListener('abort', () => abortController.abort()),
  );
  return fetch(`${harness.emulator.url}/v1/calls/${uuid}`, {
    method: 'PUT',
    headers: { authorization, 'content-type': 'application/json' },
    body: '{"action":"hangup"}',
    signal: abortController.signal,
  }).then(
    (reply) => reply.status,
    (error: Error) => (error.name === 'AbortError' ? 'silent' : 'closed'),
  );
}

type Rest = NonNullable<FaultsInput['rest']>[number];
const hangUpWithFault = async (
  fault: Rest['fault'],
  timeoutMs: number,
): Promise<{ outcome: number | string; up: number }> => {
  const uuid = await call();
  await harness.client.setFaults({ rest: [{ route: 'hangup', fault, next: 1 }] });
  const requestArrived = harness.client.awaitRequest({ route: 'hangup' });
  const outcome = await hangUp(uuid, requestArrived, timeoutMs);
  await requestArrived;
  return { outcome, up: await countLegsUp() };
};

describe('REST faults on the hang-up', () => {
  it.each<[Rest['fault'], number | string, number]>([
    ['hang', 'silent', 1],
    ['not-applied-silent', 'silent', 1],
    ['applied-silent', 'silent', 0],
    ['reset', 'closed', 1],
    ['refuse', 'closed', 1],
    ['applied-reset', 'closed', 0],
    ['non-json', 200, 0],
    ['204-no-effect', 204, 1],
    ['400', 400, 1],
    ['401', 401, 1],
    ['403', 403, 1],
    ['404', 404, 1],
    ['409', 409, 1],
    ['429', 429, 1],
    ['500', 500, 1],
    ['502', 502, 1],
    ['503', 503, 1],
  ])('%s: the client observes %s and %i legs stay up', async (fault, outcome, left) => {
    expect(await hangUpWithFault(fault, outcome === 'silent' ? MAX_SILENT_WAIT_MS : MAX_REPLY_WAIT_MS)).toEqual({
      outcome,
      up: left,
    });
  });

  it('apply to the next N requests of their route only', async () => {
    const uuid = await call();
    await harness.client.setFaults({ rest: [{ route: 'hangup', fault: '500', next: 1 }] });
    expect((await harness.vonage.voice.getCall(uuid)).status).toBe('answered');
    expect([await hangUp(uuid), await hangUp(uuid)]).toEqual([500, 204]);
    expect(await countLegsUp()).toBe(0);
  });

  it('hang with delayMs: the request takes effect after the delay on the clock', async () => {
    const uuid = await call();
    await harness.client.setFaults({ rest: [{ route: 'hangup', fault: 'hang', delayMs: 1_000 }] });
    const { timers } = await harness.client.clock();
    const requestArrived = async (): Promise<void> => {
      await expect.poll(async () => (await harness.client.clock()).timers).toBe(timers + 1);
    };
    expect(await hangUp(uuid, requestArrived(), MAX_SILENT_WAIT_MS)).toBe('silent');
    expect(await countLegsUp()).toBe(1);
    await harness.client.advanceClock(1_000);
    expect(await countLegsUp()).toBe(0);
  });
});

describe('switches of the REST APIs', () => {
  it('earlyPut400Ms: returns 400 for an early PUT and 204 later', async () => {
    const uuid = await call();
    await harness.client.setFaults({ switches: { earlyPut400Ms: 2_000 } });
    expect(await hangUp(uuid)).toBe(400);
    await harness.client.advanceClock(1_000);
    expect(await hangUp(uuid)).toBe(204);
  });

  it('hangupKeepsLegAlive returns 204, hangup404WhileLive and get404WhileLive return 404, for a live leg', async () => {
    const uuid = await call();
    await harness.client.setFaults({ switches: { hangupKeepsLegAlive: true } });
    expect([await hangUp(uuid), await countLegsUp()]).toEqual([204, 1]);
    await harness.client.setFaults({ switches: { hangup404WhileLive: true, get404WhileLive: true } });
    expect([await hangUp(uuid), await countLegsUp()]).toEqual([404, 1]);
    await expect(harness.vonage.voice.getCall(uuid)).rejects.toThrow(/404/);
    await harness.client.resetFaults();
    expect([await hangUp(uuid), await countLegsUp()]).toEqual([204, 0]);
  });

  it('listOmitsLive: omits live legs from the list', async () => {
    await call();
    expect(await harness.vonage.voice.search({})).toMatchObject({ count: 1 });
    await harness.client.setFaults({ switches: { listOmitsLive: true } });
    expect(await harness.vonage.voice.search({})).toMatchObject({ count: 0 });
  });

  it("listOmitsConnections: omits live connections from their session's list", async () => {
    const { sessionId } = await harness.vonage.video.createSession({});
    await harness.client.joinWebrtc({ sessionId, token: harness.vonage.video.generateClientToken(sessionId) });
    // The SDK cannot list connections: this reuses the URL and Authorization of a failed
    // disconnect.
    await expect(harness.vonage.video.disconnectClient(sessionId, 'unknown')).rejects.toThrow();
    const { url, headers } = (await harness.client.restLog({ route: 'disconnect' })).at(-1)!;
    const countListed = async (): Promise<unknown> =>
      (
        (await (
          await fetch(`${harness.emulator.url}${url.replace('/unknown', '')}`, {
            headers: { authorization: headers['authorization'] ?? '' },
          })
        ).json()) as { count: number }
      ).count;
    expect(await countListed()).toBe(1);
    await harness.client.setFaults({ switches: { listOmitsConnections: true } });
    expect(await countListed()).toBe(0);
    await harness.client.resetFaults();
    expect(await countListed()).toBe(1);
  });

  it('rejects an unknown fault and an unknown field', async () => {
    await expect(
      harness.client.setFaults({ rest: [{ route: 'hangup', fault: 'gremlins' as never }] }),
    ).rejects.toMatchObject({ status: 400 });
    await expect(harness.client.setFaults({ swiches: {} } as never)).rejects.toMatchObject({ status: 400 });
  });
});
