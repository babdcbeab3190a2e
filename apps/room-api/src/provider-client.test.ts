import assert from 'node:assert/strict';
import { afterEach, describe, expect, it } from 'vitest';
import { type ProviderRpc, handleRequest } from '@partyline/conference/providers/rpc-messages';
import { VerdictError } from '@partyline/domain/verdict';
import { ProviderError, type ProviderFailure } from '@partyline/provider-contract/provider-error';
import { STATUS } from '@partyline/runtime/problem';
import fc from 'fast-check';
import { agreeable, startStage, type Reply, type Stage } from './testing/test-harness.ts';

let stage: Stage | undefined;
afterEach(async () => {
  await stage?.stop();
  stage = undefined;
});

// A question that failed behind everybody's back would end the process; Vitest fails a run in which any promise does.

const CREATE = ['POST', '/v1/rooms', { body: { name: 'Room' } }] as const;

/** So long that who says something sooner has not waited for an answer, on the slowest machine. */
const LONG_MS = 15_000;
const LONG = { answerWithinMs: LONG_MS, hurried: true };

async function timed(work: Promise<Reply>): Promise<Reply & { ms: number }> {
  const start = performance.now();
  return { ...(await work), ms: performance.now() - start };
}

// A question that was lost as the connection came back is given up after that time, and asked again.
async function recovered(now: Stage): Promise<{ made: Reply['body'] }> {
  let made: Reply['body'];
  const create = async (): Promise<number> => {
    const { status, body } = await now.ask(...CREATE);
    made = body;
    return status;
  };
  await expect.poll(create, { interval: 100, timeout: 3 * LONG_MS }).toBe(201);
  return { made };
}

function expectNotNow({ status, body, headers, ms }: Awaited<ReturnType<typeof timed>>): void {
  expect([status, body.reason, headers.get('retry-after')]).toEqual([503, 'provider-unreachable', '2']);
  expect(body.fix).toEqual(expect.any(String));
  expect(ms).toBeLessThan(LONG_MS);
}

describe('while Redis is away', { timeout: 120_000 }, () => {
  it.each(['sever', 'stall'] as const)(
    '(%s) says 503 quickly, makes nothing, still ends rooms, and recovers',
    async (how) => {
      stage = await startStage(() => agreeable, LONG);
      const { made } = await recovered(stage);
      const room = `/v1/rooms/${made.room.id}`;
      const before = await stage.counts();
      stage.redis[how]();
      expectNotNow(await timed(stage.ask(...CREATE)));
      expectNotNow(await timed(stage.ask('POST', `${room}/tokens`, { body: { name: 'Grace' } })));
      expectNotNow(await timed(stage.ask('GET', `${room}/live`)));
      expect(await stage.counts()).toEqual(before);

      // What Postgres alone can do goes on: the jobs that are lost here the sweep makes good.
      const rung = await stage.ask('POST', `${room}/participants`, { body: { phone: '+442079460018' } });
      const ended = await stage.ask('POST', `${room}/end`);
      expect([rung.status, ended.status, ended.body.decided]).toEqual([202, 202, true]);
      expect((await stage.ask('GET', room)).body.room.state).toBe('ended');

      stage.redis.restore();
      await recovered(stage);
    },
  );

  it('starts all the same, says 503, and works when Redis comes', async () => {
    stage = await startStage(() => agreeable, { ...LONG, redisUp: false });
    expectNotNow(await timed(stage.ask(...CREATE)));
    expect(await stage.counts()).toMatchObject({ rooms: 0, participants: 0 });
    stage.redis.restore();
    await recovered(stage);
  });

  it('fails a question that is under way', async () => {
    const answers: ProviderRpc['openMedia'] = (input) => agreeable.openMedia(input);
    let openMedia = answers;
    stage = await startStage(() => ({ ...agreeable, openMedia: (input) => openMedia(input) }), LONG);
    await recovered(stage);
    const before = await stage.counts();
    const reached = new Promise<void>((resolve) => {
      openMedia = () => {
        openMedia = answers;
        resolve();
        return new Promise(() => undefined);
      };
    });
    const reply = timed(stage.ask(...CREATE));
    await reached;
    stage.redis.sever();
    expectNotNow(await reply);
    expect(await stage.counts()).toEqual(before);
    stage.redis.restore();
    await recovered(stage);
  });
});

it('no reason leaves the orchestrator that is not documented', async () => {
  const failure = fc.constantFrom<ProviderFailure>('refused', 'not-found', 'busy', 'unknown');
  const reason = fc.oneof(
    fc.constantFrom('provider-rate-limited', 'vendor-429', 'unsupported', 'bad-number', 'call-too-young'),
    fc.stringMatching(/^[a-z]{1,9}(-[a-z0-9]{1,9}){0,3}$/),
  );
  await fc.assert(
    fc.asyncProperty(failure, reason, async (...given) => {
      const answered = await handleRequest(
        { ...agreeable, mute: () => Promise.reject(new ProviderError(...given, 'No.')) },
        'mute',
        { id: 'q', input: {} },
        () => undefined,
      );
      assert.ok(!answered.ok);
      assert.ok(
        Object.hasOwn(STATUS, answered.error.reason) || answered.error.reason.startsWith('vendor-'),
        answered.error.reason,
      );
    }),
  );
});

describe('an orchestrator', () => {
  it('that is not there is noticed at once', async () => {
    stage = await startStage(() => agreeable, { ...LONG, orchestrator: false });
    const reply = await timed(stage.ask(...CREATE));
    expectNotNow(reply);
    expect(reply.body.detail).toBe('No service that talks to the provider is running.');
  });

  it('that does not answer is given up', async () => {
    stage = await startStage(() => ({ ...agreeable, openMedia: () => new Promise(() => undefined) }), {
      answerWithinMs: 1_000,
    });
    expectNotNow(await timed(stage.ask(...CREATE)));
    expect(await stage.counts()).toMatchObject({ rooms: 0, participants: 0, sessions: 0, pins: 0 });
  });

  it('that does not say whether it pressed keys is asked again under the same id, by which it knows what it has done', async () => {
    let lost = true;
    stage = await startStage(
      () => ({
        ...agreeable,
        sendDigits: () => (lost ? new Promise(() => undefined) : Promise.resolve({ legId: 'leg_1' })),
      }),
      { answerWithinMs: 5_000 },
    );
    const press = (key: string) =>
      stage!.ask('POST', '/v1/participants/part_1/dtmf', {
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
    const [a, b, c] = stage.questions.map(({ id }) => id);
    expect([stage.questions.length, b === a, c === a]).toEqual([3, true, false]);
  });

  it.each([
    [
      'a vendor that refuses us',
      () => new ProviderError('refused', 'vendor-401', 'The vendor does not know us.'),
      502,
      'vendor-401',
      null,
    ],
    [
      'a vendor that is busy',
      () => new ProviderError('busy', 'vendor-429', 'The vendor is busy.', { retryAfterMs: 7_000 }),
      502,
      'vendor-429',
      '7',
    ],
    [
      'a vendor that gave no answer',
      () => new ProviderError('unknown', 'vendor-timeout', 'The vendor gave no answer.'),
      504,
      'vendor-timeout',
      null,
    ],
    [
      'a line for the vendor that is too long',
      () => new ProviderError('busy', 'provider-rate-limited', 'Too many wait.', { retryAfterMs: 2_000 }),
      503,
      'provider-rate-limited',
      '2',
    ],
    [
      'what the vendor cannot do',
      () => new ProviderError('refused', 'unsupported', 'It cannot.'),
      502,
      'vendor-unsupported',
      null,
    ],
    ['its own failure', () => new TypeError('secret insides'), 500, 'internal-error', null],
  ])('passes on %s, and nothing is made', async (_what, error, status, reason, retryAfter) => {
    stage = await startStage(() => ({ ...agreeable, openMedia: () => Promise.reject(error()) }));
    const reply = await stage.ask(...CREATE);
    expect([reply.status, reply.body.reason, reply.headers.get('retry-after')]).toEqual([status, reason, retryAfter]);
    expect(JSON.stringify(reply.body)).not.toContain('insides');
    expect(await stage.counts()).toMatchObject({ rooms: 0, participants: 0, sessions: 0, pins: 0 });
  });

  it('that refuses a token leaves nobody on the roster', async () => {
    stage = await startStage(() => ({
      ...agreeable,
      issueToken: () => Promise.reject(new VerdictError('upstream', 'vendor-500', 'No.')),
    }));
    const { body: made } = await stage.ask(...CREATE);
    const before = await stage.counts();
    expect((await stage.ask('POST', `/v1/rooms/${made.room.id}/tokens`, { body: { name: 'Grace' } })).status).toBe(502);
    expect(await stage.counts()).toEqual(before);
  });

  it('answers many questions at once, each to the one who asked', async () => {
    stage = await startStage(() => agreeable);
    const replies = await Promise.all(Array.from({ length: 25 }, () => stage!.ask(...CREATE)));
    for (const { status, body } of replies)
      expect([status, body.client.token]).toEqual([201, `token-of-${body.participantId}`]);
    expect(new Set(replies.map(({ body }) => body.pin)).size).toBe(25);
  });
});
