import { agreeable, startStage, type Stage } from '@partyline/room-api/testing/test-harness';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Partyline } from './client.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await startStage(() => agreeable);
});
afterAll(() => stage.stop());

it('retries a write after 409 with Retry-After, with the same idempotency key', async () => {
  const { body: created } = await stage.ask('POST', '/v1/rooms', { key: stage.keys.theirs, body: { name: 'Room' } });
  await stage.ask('POST', '/v1/operator/tenants/ten_theirs/suspend');
  await stage.store.pool.query(
    `INSERT INTO leg (id, tenant_id, session_id, kind, state, deadline_at)
     VALUES ('leg_up', 'ten_theirs', $1, 'inbound', 'ending', now())`,
    [created.session.id],
  );
  const delays: number[] = [];
  // The hang-up is confirmed during the wait.
  const sleep = async (ms: number): Promise<void> => {
    delays.push(ms);
    await stage.store.pool.query(`UPDATE leg SET state = 'ended' WHERE id = 'leg_up'`);
  };
  const { operator } = new Partyline({ baseUrl: stage.url, apiKey: stage.keys.operator, sleep });
  expect(await operator.deleteTenant('ten_theirs')).toEqual({ id: 'ten_theirs' });
  expect(delays).toEqual([5_000]);
});
