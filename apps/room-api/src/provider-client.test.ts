import { afterEach, describe, expect, it } from 'vitest';
import type { AskProvider } from '@partyline/conference/ask-provider';
import { VerdictError } from '@partyline/domain/verdict';
import { ProviderError } from '@partyline/provider-contract/provider-error';
import { agreeable, startStage, type Reply, type Stage } from './testing/stage.ts';

let stage: Stage | undefined;
afterEach(async () => {
  await stage?.stop();
  stage = undefined;
});

// A question that failed behind everybody's back would end the process; Vitest fails a run in which any promise does.

const CREATE = ['POST', '/v1/rooms', { body: { name: 'Room' } }] as const;

async function timed(work: Promise<Reply>): Promise<Reply & { ms: number }> {
  const start = performance.now();
  return { ...(await work), ms: performance.now() - start };
}

async function recovered(now: Stage): Promise<void> {
  await expect.poll(async () => (await now.ask(...CREATE)).status, { timeout: 20_000, interval: 100 }).toBe(201);
}

function expectNotNow({ status, body, headers, ms }: Awaited<ReturnType<typeof timed>>, withinMs = 2_000): void {
  expect([status, body.reason, headers.get('retry-after')]).toEqual([503, 'provider-unreachable', '2']);
  expect(body.fix).toEqual(expect.any(String));
  expect(ms).toBeLessThan(withinMs);
}

describe('while Redis is away', () => {
  it.each(['sever', 'stall'] as const)('(%s) says 503 quickly, makes nothing, still ends rooms, and recovers', async (how) => {
    stage = await startStage(() => agreeable);
    const { body: made } = await stage.ask(...CREATE);
    const room = `/v1/rooms/${made.room.id}`;
    const before = await stage.counts();
    stage.redis[how]();
    expectNotNow(await timed(stage.ask(...CREATE)));
    expectNotNow(await timed(stage.ask('POST', `${room}/tokens`, { body: { name: 'Grace' } })));
    expectNotNow(await timed(stage.ask('GET', `${room}/live`)));
    expect(await stage.counts()).toEqual(before);

    // What Postgres alone can do goes on: the jobs that are lost here the sweep makes good.
    const rung = await timed(stage.ask('POST', `${room}/participants`, { body: { phone: '+442079460018' } }));
    const ended = await timed(stage.ask('POST', `${room}/end`));
    expect([rung.status, ended.status, ended.body.decided]).toEqual([202, 202, true]);
    expect(Math.max(rung.ms, ended.ms)).toBeLessThan(2_000);
    expect((await stage.ask('GET', room)).body.room.state).toBe('ended');

    stage.redis.restore();
    await recovered(stage);
  });

  it('starts all the same, says 503, and works when Redis comes', async () => {
    stage = await startStage(() => agreeable, { redisUp: false });
    expectNotNow(await timed(stage.ask(...CREATE)));
    expect(await stage.counts()).toMatchObject({ rooms: 0, participants: 0 });
    stage.redis.restore();
    await recovered(stage);
  });

  it('fails a question that is under way', async () => {
    const answers: AskProvider['openMedia'] = (input) => agreeable.openMedia(input);
    let openMedia = answers;
    stage = await startStage(() => ({ ...agreeable, openMedia: (input) => openMedia(input) }), { answerWithinMs: 60_000 });
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
    expectNotNow(await reply, 5_000);
    expect(await stage.counts()).toEqual(before);
    stage.redis.restore();
    await recovered(stage);
  });
});

describe('an orchestrator', () => {
  it('that is not there is noticed at once', async () => {
    stage = await startStage(() => agreeable, { orchestrator: false, answerWithinMs: 60_000 });
    const reply = await timed(stage.ask(...CREATE));
    expectNotNow(reply);
    expect(reply.body.detail).toBe('No service that talks to the provider is running.');
  });

  it('that does not answer is given up', async () => {
    stage = await startStage(() => ({ ...agreeable, openMedia: () => new Promise(() => undefined) }), { answerWithinMs: 1_000 });
    expectNotNow(await timed(stage.ask(...CREATE)));
    expect(await stage.counts()).toMatchObject({ rooms: 0, participants: 0, sessions: 0, pins: 0 });
  });

  it.each([
    ['a vendor that refuses us', () => new ProviderError('refused', 'vendor-401', 'The vendor does not know us.'), 502, 'vendor-401', null],
    ['a vendor that is busy', () => new ProviderError('busy', 'vendor-429', 'The vendor is busy.', { retryAfterMs: 7_000 }), 502, 'vendor-429', '7'],
    ['a vendor that gave no answer', () => new ProviderError('unknown', 'vendor-timeout', 'The vendor gave no answer.'), 504, 'vendor-timeout', null],
    ['its own failure', () => new TypeError('secret insides'), 500, 'internal-error', null],
  ])('passes on %s, and nothing is made', async (_what, error, status, reason, retryAfter) => {
    stage = await startStage(() => ({ ...agreeable, openMedia: () => Promise.reject(error()) }));
    const reply = await stage.ask(...CREATE);
    expect([reply.status, reply.body.reason, reply.headers.get('retry-after')]).toEqual([status, reason, retryAfter]);
    expect(JSON.stringify(reply.body)).not.toContain('insides');
    expect(await stage.counts()).toMatchObject({ rooms: 0, participants: 0, sessions: 0, pins: 0 });
  });

  it('that refuses a token leaves nobody on the roster', async () => {
    stage = await startStage(() => ({ ...agreeable, issueToken: () => Promise.reject(new VerdictError('upstream', 'vendor-500', 'No.')) }));
    const { body: made } = await stage.ask(...CREATE);
    const before = await stage.counts();
    expect((await stage.ask('POST', `/v1/rooms/${made.room.id}/tokens`, { body: { name: 'Grace' } })).status).toBe(502);
    expect(await stage.counts()).toEqual(before);
  });

  it('answers many questions at once, each to the one who asked', async () => {
    stage = await startStage(() => agreeable);
    const replies = await Promise.all(Array.from({ length: 25 }, () => stage!.ask(...CREATE)));
    for (const { status, body } of replies) expect([status, body.client.token]).toEqual([201, `token-of-${body.participantId}`]);
    expect(new Set(replies.map(({ body }) => body.pin)).size).toBe(25);
  });
});
