import { afterAll, beforeAll, expect, it } from 'vitest';
import { acceptingProvider, startTestHarness, type TestHarness } from '../testing/test-harness.ts';

let harness: TestHarness;
beforeAll(async () => {
  harness = await startTestHarness(() => acceptingProvider, { statementTimeoutMs: 5_000 });
});
afterAll(() => harness.stop());

it('says to come again when the database does not answer in time, whichever way it was asked', async () => {
  const { body: made } = await harness.request('POST', '/v1/rooms', { body: { name: 'Room' } });
  const holding = await harness.store.pool.connect();
  await holding.query('SET idle_in_transaction_session_timeout = 0; BEGIN; LOCK TABLE room IN ACCESS EXCLUSIVE MODE');
  // Read through Prisma, written without.
  const replies = await Promise.all([
    harness.request('GET', '/v1/rooms'),
    harness.request('POST', `/v1/rooms/${made.room.id}/end`),
  ]);
  holding.release(true);
  for (const { status, body, headers } of replies)
    expect([status, body.reason, headers.get('retry-after')]).toEqual([503, 'temporarily-unavailable', '1']);
});
