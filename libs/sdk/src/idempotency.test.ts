import { agreeable, startStage, type Stage } from '@partyline/room-api/testing/test-harness';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Partyline } from './client.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await startStage(() => agreeable);
});
afterAll(() => stage.stop());

it('a write that was told to come again later is done when it does, under the key of its first try', async () => {
  const { body: made } = await stage.ask('POST', '/v1/rooms', { key: stage.keys.theirs, body: { name: 'Room' } });
  await stage.ask('POST', '/v1/operator/tenants/ten_theirs/suspend');
  await stage.store.pool.query(
    `INSERT INTO leg (id, tenant_id, session_id, kind, state, deadline_at) VALUES ('leg_up', 'ten_theirs', $1, 'inbound', 'ending', now())`,
    [made.session.id],
  );
  const waited: number[] = [];
  // While it waits, the hang-up is confirmed.
  const sleep = async (ms: number): Promise<void> => {
    waited.push(ms);
    await stage.store.pool.query(`UPDATE leg SET state = 'ended' WHERE id = 'leg_up'`);
  };
  const { operator } = new Partyline({ baseUrl: stage.url, apiKey: stage.keys.operator, sleep });
  expect(await operator.deleteTenant('ten_theirs')).toEqual({ id: 'ten_theirs' });
  expect(waited).toEqual([5_000]);
});
