import { afterAll, beforeAll, expect, it } from 'vitest';
import { agreeable, startStage, type Stage } from '../testing/test-harness.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await startStage(() => agreeable, { patienceMs: 5_000 });
});
afterAll(() => stage.stop());

it('says to come again when the database does not answer in time, whichever way it was asked', async () => {
  const { body: made } = await stage.ask('POST', '/v1/rooms', { body: { name: 'Room' } });
  const holding = await stage.store.pool.connect();
  await holding.query('SET idle_in_transaction_session_timeout = 0; BEGIN; LOCK TABLE room IN ACCESS EXCLUSIVE MODE');
  // Read through Prisma, written without.
  const replies = await Promise.all([
    stage.ask('GET', '/v1/rooms'),
    stage.ask('POST', `/v1/rooms/${made.room.id}/end`),
  ]);
  holding.release(true);
  for (const { status, body, headers } of replies)
    expect([status, body.reason, headers.get('retry-after')]).toEqual([503, 'temporarily-unavailable', '1']);
});
