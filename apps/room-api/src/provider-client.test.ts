import assert from 'node:assert/strict';
import { afterEach, describe, expect, it } from 'vitest';
import { type ProviderRpc, handleRequest } from '@partyline/conference/providers/rpc-messages';
import { VerdictError } from '@partyline/domain/verdict';
import { ProviderError, type ProviderFailure } from '@partyline/provider-contract/provider-error';
import { REASONS } from '@partyline/domain/reasons';
import fc from 'fast-check';
import { acceptingProvider, startTestHarness, type Reply, type TestHarness } from './testing/test-harness.ts';

let harness: TestHarness | undefined;
afterEach(async () => {
  await harness?.stop();
  harness = undefined;
});

// Vitest fails a run with an unhandled rejection, which would end the process in production.

const CREATE = ['POST', '/v1/rooms', { body: { name: 'Room' } }] as const;

/**
 * Far longer than an immediate failure takes, so that a faster reply did not wait for an answer.
 */
const LONG_MS = 15_000;
const LONG_TIMEOUT = { rpcTimeoutMs: LONG_MS, shortTimeouts: true };

async function measure(work: Promise<Reply>): Promise<Reply & { ms: number }> {
  const start = performance.now();
  return { ...(await work), ms: performance.now() - start };
}

/**
 * Waits until a room can be created. A call that is lost during the reconnection times out and is
 * repeated.
 */
async function waitForRecovery(now: TestHarness): Promise<{ made: Reply['body'] }> {
  let made: Reply['body'];
  const create = async (): Promise<number> => {
    const { status, body } = await now.request(...CREATE);
    made = body;
    return status;
  };
  await expect.poll(create, { interval: 100, timeout: 3 * LONG_MS }).toBe(201);
  return { made };
}

function expectUnavailable({ status, body, headers, ms }: Awaited<ReturnType<typeof measure>>): void {
  expect([status, body.reason, headers.get('retry-after')]).toEqual([503, 'provider-unreachable', '2']);
  expect(body.fix).toEqual(expect.any(String));
  expect(ms).toBeLessThan(LONG_MS);
}

describe('while Redis is unavailable', { timeout: 120_000 }, () => {
  it.each(['sever', 'stall'] as const)(
    'returns 503 quickly, creates nothing, still ends rooms, and recovers (%s)',
    async (how) => {
      harness = await startTestHarness(() => acceptingProvider, LONG_TIMEOUT);
      const { made } = await waitForRecovery(harness);
      const room = `/v1/rooms/${made.room.id}`;
      const before = await harness.countRows();
      harness.redis[how]();
      expectUnavailable(await measure(harness.request(...CREATE)));
      expectUnavailable(await measure(harness.request('POST', `${room}/tokens`, { body: { name: 'Grace' } })));
      expectUnavailable(await measure(harness.request('GET', `${room}/live`)));
      const dialled = await harness.request('POST', `${room}/participants`, { body: { phone: '+442079460018' } });
      expect([dialled.status, dialled.body.reason]).toEqual([503, 'temporarily-unavailable']);
      expect(await harness.countRows()).toEqual(before);

      // Operations that need only Postgres succeed. The reconciler does the work of the lost jobs.
      const ended = await harness.request('POST', `${room}/end`);
      expect([ended.status, ended.body.decided]).toEqual([202, true]);
      expect((await harness.request('GET', room)).body.room.state).toBe('ended');

      harness.redis.restore();
      await waitForRecovery(harness);
    },
  );

  it('finds connections that died silently within ten seconds, and replaces them', async () => {
    harness = await startTestHarness(() => acceptingProvider, LONG_TIMEOUT);
    const { made } = await waitForRecovery(harness);
    const room = `/v1/rooms/${made.room.id}`;
    const before = await harness.countRows();
    harness.redis.abandon();
    const died = performance.now();
    const dial = () => harness!.request('POST', `${room}/participants`, { body: { phone: '+442079460018' } });
    expect((await dial()).status).toBe(503);
    expect(await harness.countRows()).toEqual(before);
    await expect.poll(async () => (await dial()).status, { interval: 100, timeout: LONG_MS }).toBe(202);
    await waitForRecovery(harness);
    expect(performance.now() - died).toBeLessThan(10_000);
  });

  it('starts, returns 503, and works once Redis is available', async () => {
    harness = await startTestHarness(() => acceptingProvider, { ...LONG_TIMEOUT, redisUp: false });
    expectUnavailable(await measure(harness.request(...CREATE)));
    expect(await harness.countRows()).toMatchObject({ rooms: 0, participants: 0 });
    harness.redis.restore();
    await waitForRecovery(harness);
  });

  it('fails a call in progress when the connection breaks', async () => {
    const answers: ProviderRpc['openMedia'] = (input) => acceptingProvider.openMedia(input);
    let openMedia = answers;
    harness = await startTestHarness(
      () => ({ ...acceptingProvider, openMedia: (input) => openMedia(input) }),
      LONG_TIMEOUT,
    );
    await waitForRecovery(harness);
    const before = await harness.countRows();
    const reached = new Promise<void>((resolve) => {
      openMedia = () => {
        openMedia = answers;
        resolve();
        return new Promise(() => undefined);
      };
    });
    const reply = measure(harness.request(...CREATE));
    await reached;
    harness.redis.sever();
    expectUnavailable(await reply);
    expect(await harness.countRows()).toEqual(before);
    harness.redis.restore();
    await waitForRecovery(harness);
  });
});

it('every reason of a provider failure is documented', async () => {
  const failure = fc.constantFrom<ProviderFailure>('refused', 'not-found', 'busy', 'unknown');
  const reason = fc.oneof(
    fc.constantFrom('provider-rate-limited', 'upstream-429', 'unsupported', 'bad-number', 'call-too-young'),
    fc.stringMatching(/^[a-z]{1,9}(-[a-z0-9]{1,9}){0,3}$/),
  );
  await fc.assert(
    fc.asyncProperty(failure, reason, async (...given) => {
      const answered = await handleRequest(
        { ...acceptingProvider, mute: () => Promise.reject(new ProviderError(...given, 'No.')) },
        'mute',
        { input: {} },
        () => undefined,
      );
      assert.ok(!answered.ok);
      assert.ok(
        Object.hasOwn(REASONS, answered.error.reason) || answered.error.reason.startsWith('upstream-'),
        answered.error.reason,
      );
    }),
  );
});

describe('provider call', () => {
  it('fails immediately if no orchestrator is running', async () => {
    harness = await startTestHarness(() => acceptingProvider, { ...LONG_TIMEOUT, orchestrator: false });
    const reply = await measure(harness.request(...CREATE));
    expectUnavailable(reply);
    expect(reply.body.detail).toBe('The provider service is not running.');
  });

  it('times out if the orchestrator does not answer', async () => {
    harness = await startTestHarness(() => ({ ...acceptingProvider, openMedia: () => new Promise(() => undefined) }), {
      rpcTimeoutMs: 1_000,
    });
    expectUnavailable(await measure(harness.request(...CREATE)));
    expect(await harness.countRows()).toMatchObject({ rooms: 0, participants: 0, sessions: 0, pins: 0 });
  });

  it('without an answer is repeated under the same id, so that the orchestrator detects the duplicate', async () => {
    let lost = true;
    harness = await startTestHarness(
      () => ({
        ...acceptingProvider,
        sendDigits: () => (lost ? new Promise(() => undefined) : Promise.resolve({ legId: 'leg_1' })),
      }),
      { rpcTimeoutMs: 5_000 },
    );
    const press = (key: string) =>
      harness!.request('POST', '/v1/participants/part_1/dtmf', {
        body: { digits: '1' },
        headers: { 'idempotency-key': key },
      });
    const first = await press('one');
    expect([first.status, first.body.reason, first.headers.get('retry-after')]).toEqual([
      504,
      'provider-no-answer',
      null,
    ]);
    lost = false;
    expect((await press('one')).status).toBe(200);
    expect((await press('two')).status).toBe(200);
    const [a, b, c] = harness.rpcRequests.map(({ id }) => id);
    expect([harness.rpcRequests.length, b === a, c === a]).toEqual([3, true, false]);
  });

  it.each([
    [
      'rejected credentials',
      () => new ProviderError('refused', 'upstream-401', 'The provider rejected the credentials.'),
      502,
      'upstream-401',
      null,
    ],
    [
      'a busy provider',
      () => new ProviderError('busy', 'upstream-429', 'The provider is busy.', { retryAfterMs: 7_000 }),
      502,
      'upstream-429',
      '7',
    ],
    [
      'a provider without an answer',
      () => new ProviderError('unknown', 'upstream-timeout', 'The provider gave no answer.'),
      504,
      'upstream-timeout',
      null,
    ],
    [
      'an exhausted rate limit',
      () =>
        new ProviderError('busy', 'provider-rate-limited', 'Too many requests are waiting.', { retryAfterMs: 2_000 }),
      503,
      'provider-rate-limited',
      '2',
    ],
    [
      'an unsupported call',
      () => new ProviderError('refused', 'unsupported', 'The provider does not support this.'),
      502,
      'upstream-unsupported',
      null,
    ],
    ['an internal error', () => new TypeError('secret details'), 500, 'internal-error', null],
  ])('passes on %s, and creates nothing', async (_what, error, status, reason, retryAfter) => {
    harness = await startTestHarness(() => ({ ...acceptingProvider, openMedia: () => Promise.reject(error()) }));
    const reply = await harness.request(...CREATE);
    expect([reply.status, reply.body.reason, reply.headers.get('retry-after')]).toEqual([status, reason, retryAfter]);
    expect(JSON.stringify(reply.body)).not.toContain('details');
    expect(await harness.countRows()).toMatchObject({ rooms: 0, participants: 0, sessions: 0, pins: 0 });
  });

  it('that issues no token leaves no participant on the roster', async () => {
    harness = await startTestHarness(() => ({
      ...acceptingProvider,
      issueToken: () => Promise.reject(new VerdictError('upstream', 'upstream-500', 'No.')),
    }));
    const { body: made } = await harness.request(...CREATE);
    const before = await harness.countRows();
    expect(
      (await harness.request('POST', `/v1/rooms/${made.room.id}/tokens`, { body: { name: 'Grace' } })).status,
    ).toBe(502);
    expect(await harness.countRows()).toEqual(before);
  });

  it('gets its own answer among concurrent calls', async () => {
    harness = await startTestHarness(() => acceptingProvider);
    const replies = await Promise.all(Array.from({ length: 25 }, () => harness!.request(...CREATE)));
    for (const { status, body } of replies)
      expect([status, body.client.token]).toEqual([201, `token-of-${body.participantId}`]);
    expect(new Set(replies.map(({ body }) => body.pin)).size).toBe(25);
  });
});
