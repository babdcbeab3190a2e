import { afterAll, beforeAll, expect, it } from 'vitest';
import { acceptingProvider, startTestHarness, type TestHarness } from '../testing/test-harness.ts';

let harness: TestHarness;
beforeAll(async () => {
  harness = await startTestHarness(() => acceptingProvider, { statementTimeoutMs: 5_000 });
});
afterAll(() => harness.stop());

it('returns 503 with Retry-After when a database query times out, with and without Prisma', async () => {
  const { body: made } = await harness.request('POST', '/v1/rooms', { body: { name: 'Room' } });
  const lockHolder = await harness.store.pool.connect();
  await lockHolder.query(
    'SET idle_in_transaction_session_timeout = 0; BEGIN; LOCK TABLE room IN ACCESS EXCLUSIVE MODE',
  );
  // The GET queries through Prisma, the POST without it.
  const replies = await Promise.all([
    harness.request('GET', '/v1/rooms'),
    harness.request('POST', `/v1/rooms/${made.room.id}/end`),
  ]);
  lockHolder.release(true);
  for (const { status, body, headers } of replies)
    expect([status, body.reason, headers.get('retry-after')]).toEqual([503, 'temporarily-unavailable', '1']);
});
