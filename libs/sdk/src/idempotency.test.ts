import { acceptingProvider, startTestHarness, type TestHarness } from '@partyline/room-api/testing/test-harness';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Partyline } from './client.ts';

let harness: TestHarness;
beforeAll(async () => {
  harness = await startTestHarness(() => acceptingProvider);
});
afterAll(() => harness.stop());

it('retries a write after 409 with Retry-After, with the same idempotency key', async () => {
  const { body: created } = await harness.request('POST', '/v1/rooms', {
    key: harness.keys.theirs,
    body: { name: 'Room' },
  });
  await harness.request('POST', '/v1/operator/tenants/ten_theirs/suspend');
  await harness.store.pool.query(
    `INSERT INTO leg (id, tenant_id, session_id, kind, state, deadline_at)
     VALUES ('leg_up', 'ten_theirs', $1, 'inbound', 'ending', now())`,
    [created.session.id],
  );
  const delays: number[] = [];
  // The hang-up is confirmed during the wait.
  const sleep = async (ms: number): Promise<void> => {
    delays.push(ms);
    await harness.store.pool.query(`UPDATE leg SET state = 'ended' WHERE id = 'leg_up'`);
  };
  const { operator } = new Partyline({ baseUrl: harness.url, apiKey: harness.keys.operator, sleep });
  expect(await operator.deleteTenant('ten_theirs')).toEqual({ id: 'ten_theirs' });
  expect(delays).toEqual([5_000]);
});
