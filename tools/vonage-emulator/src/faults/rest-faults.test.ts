import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { NUMBER, setStage, type Stage } from '../testing/test-harness.ts';
import type { FaultsInput } from './schema.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await setStage({ clock: 'virtual' });
});
afterEach(() => stage.fresh());
afterAll(() => stage.close());

const call = async (): Promise<string> => {
  const { uuid } = await stage.vonage.voice.createOutboundCall({
    to: [{ type: 'phone', number: '447700900200' }],
    from: { type: 'phone', number: NUMBER },
    ncco: [{ action: 'conversation', name: 'r' }],
  } as never);
  await stage.client.advanceClock(1_000);
  return uuid;
};
const up = async (): Promise<number> => (await stage.client.ledger()).up;

/** So long that whoever answers at all has answered, and how long silence is listened to once it is known that the request has come. */
const [PATIENT_MS, SILENCE_MS] = [30_000, 1_000];

/** A hang-up by plain HTTP with our own patience, which begins to end when the request has come: status, 'closed' or 'silent'. */
async function hangUp(
  uuid: string,
  come: Promise<unknown> = Promise.resolve(),
  patienceMs = PATIENT_MS,
): Promise<number | string> {
  // A throwaway PUT by the SDK shows which Authorization to use.
  const authorization = (await stage.client.restLog({ route: 'create-call' })).at(-1)?.headers.authorization ?? '';
  const patience = new AbortController();
  void come.then(() => AbortSignal.timeout(patienceMs).addEventListener('abort', () => patience.abort()));
  return fetch(`${stage.emulator.url}/v1/calls/${uuid}`, {
    method: 'PUT',
    headers: { authorization, 'content-type': 'application/json' },
    body: '{"action":"hangup"}',
    signal: patience.signal,
  }).then(
    (reply) => reply.status,
    (error: Error) => (error.name === 'AbortError' ? 'silent' : 'closed'),
  );
}

type Rest = NonNullable<FaultsInput['rest']>[number];
const hangUpUnder = async (fault: Rest['fault'], patienceMs: number): Promise<{ saw: number | string; up: number }> => {
  const uuid = await call();
  await stage.client.setFaults({ rest: [{ route: 'hangup', fault, next: 1 }] });
  const come = stage.client.awaitRequest({ route: 'hangup' });
  const saw = await hangUp(uuid, come, patienceMs);
  await come;
  return { saw, up: await up() };
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
  ])('%s: the caller sees %s and %i legs stay up', async (fault, saw, left) => {
    expect(await hangUpUnder(fault, saw === 'silent' ? SILENCE_MS : PATIENT_MS)).toEqual({ saw, up: left });
  });

  it('bites the next N only, and only its route', async () => {
    const uuid = await call();
    await stage.client.setFaults({ rest: [{ route: 'hangup', fault: '500', next: 1 }] });
    expect((await stage.vonage.voice.getCall(uuid)).status).toBe('answered');
    expect([await hangUp(uuid), await hangUp(uuid)]).toEqual([500, 204]);
    expect(await up()).toBe(0);
  });

  it('hangs for a while by the clock, then does as it was asked', async () => {
    const uuid = await call();
    await stage.client.setFaults({ rest: [{ route: 'hangup', fault: 'hang', delayMs: 1_000 }] });
    const { timers } = await stage.client.clock();
    const come = async (): Promise<void> => {
      await expect.poll(async () => (await stage.client.clock()).timers).toBe(timers + 1);
    };
    expect(await hangUp(uuid, come(), SILENCE_MS)).toBe('silent');
    expect(await up()).toBe(1);
    await stage.client.advanceClock(1_000);
    expect(await up()).toBe(0);
  });
});

describe('lasting habits of the Voice API', () => {
  it('answers 400 to an early PUT, and 204 later (contract §0.14)', async () => {
    const uuid = await call();
    await stage.client.setFaults({ switches: { earlyPut400Ms: 2_000 } });
    expect(await hangUp(uuid)).toBe(400);
    await stage.client.advanceClock(1_000);
    expect(await hangUp(uuid)).toBe(204);
  });

  it('says 204 to a hang-up and keeps the leg alive; says 404 to a live leg', async () => {
    const uuid = await call();
    await stage.client.setFaults({ switches: { hangupKeepsLegAlive: true } });
    expect([await hangUp(uuid), await up()]).toEqual([204, 1]);
    await stage.client.setFaults({ switches: { hangup404WhileLive: true, get404WhileLive: true } });
    expect([await hangUp(uuid), await up()]).toEqual([404, 1]);
    await expect(stage.vonage.voice.getCall(uuid)).rejects.toThrow(/404/);
    await stage.client.resetFaults();
    expect([await hangUp(uuid), await up()]).toEqual([204, 0]);
  });

  it('leaves live legs out of the list', async () => {
    await call();
    expect(await stage.vonage.voice.search({})).toMatchObject({ count: 1 });
    await stage.client.setFaults({ switches: { listOmitsLive: true } });
    expect(await stage.vonage.voice.search({})).toMatchObject({ count: 0 });
  });

  it('leaves live connections out of the list of their session', async () => {
    const { sessionId } = await stage.vonage.video.createSession({});
    await stage.client.joinWebrtc({ sessionId, token: stage.vonage.video.generateClientToken(sessionId) });
    // The SDK has no such request; a throwaway one of its shows which Authorization to use.
    await expect(stage.vonage.video.disconnectClient(sessionId, 'nobody')).rejects.toThrow();
    const { url, headers } = (await stage.client.restLog({ route: 'disconnect' })).at(-1)!;
    const listed = async (): Promise<unknown> =>
      (
        (await (
          await fetch(`${stage.emulator.url}${url.replace('/nobody', '')}`, {
            headers: { authorization: headers['authorization'] ?? '' },
          })
        ).json()) as { count: number }
      ).count;
    expect(await listed()).toBe(1);
    await stage.client.setFaults({ switches: { listOmitsConnections: true } });
    expect(await listed()).toBe(0);
    await stage.client.resetFaults();
    expect(await listed()).toBe(1);
  });

  it('refuses a fault document it does not understand', async () => {
    await expect(
      stage.client.setFaults({ rest: [{ route: 'hangup', fault: 'gremlins' as never }] }),
    ).rejects.toMatchObject({ status: 400 });
    await expect(stage.client.setFaults({ swiches: {} } as never)).rejects.toMatchObject({ status: 400 });
  });
});
