import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { NUMBER, PIN, startStage, type OwnAccount, type Stage } from './testing/test-harness.ts';

/** Patient: whoever waits for the row that is held waits until the test lets go of it, and whoever is answered meanwhile did not. */
let stage: Stage;
beforeAll(async () => {
  stage = await startStage({ patienceMs: 60_000 });
});
afterAll(() => stage.stop());

/** More than there are connections, of either kind. */
const MANY = 9;

type Ncco = { action: string; eventUrl?: string[] }[];
type Place = Pick<OwnAccount, 'number'> & Partial<Pick<OwnAccount, 'accountId' | 'signer'>>;

const signedFor = ({ signer }: Place) => (signer === undefined ? {} : { signer });
const actions = (ncco: unknown): string => (ncco as Ncco).map(({ action }) => action).join(' ');

/** Somebody dials a number and is asked for a PIN; what they key goes to `path`. */
async function rings(place: Place): Promise<{ uuid: string; path: string }> {
  const uuid = randomUUID();
  const base = place.accountId === undefined ? '/v1' : `/v1/accounts/${place.accountId}`;
  const { body } = await stage.send(
    `${base}/voice/answer`,
    { from: '442079460011', to: place.number.slice(1), uuid, conversation_uuid: `CON-${uuid}` },
    signedFor(place),
  );
  return { uuid, path: new URL((body as Ncco).find(({ action }) => action === 'input')?.eventUrl?.[0] ?? '').pathname };
}
const keys = (place: Place, { uuid, path }: { uuid: string; path: string }) =>
  stage.send(path, { uuid, conversation_uuid: 'CON-1', dtmf: { digits: PIN, timed_out: false } }, signedFor(place));

/** … and is in. `hangsUp` is the event that says that they left. */
async function comesIn(place: Place): Promise<{ hangsUp: () => ReturnType<Stage['send']> }> {
  const caller = await rings(place);
  const { body } = await keys(place, caller);
  expect(actions(body)).toBe('talk conversation');
  const events = new URL((body as Ncco)[1]?.eventUrl?.[0] ?? '').pathname;
  return {
    hangsUp: () =>
      stage.send(
        events,
        { uuid: caller.uuid, status: 'completed', timestamp: new Date().toISOString() },
        signedFor(place),
      ),
  };
}

it('a session whose row somebody holds keeps no other session’s callers and events waiting, however much comes for it', async () => {
  const busy: Place = { number: NUMBER };
  const elsewhere = await stage.bringAccount();
  const inside = await Promise.all(Array.from({ length: MANY }, () => comesIn(busy)));
  const atTheDoor = await Promise.all(Array.from({ length: MANY }, () => rings(busy)));

  // As a process does that froze in the middle of a change.
  const frozen = await stage.store.pool.connect();
  await frozen.query(
    `SET idle_in_transaction_session_timeout = 0; BEGIN; SELECT FROM session WHERE tenant_id = 'ten_a' FOR UPDATE`,
  );
  const leaving = inside.map(({ hangsUp }) => hangsUp());
  const keying = atTheDoor.map((caller) => keys(busy, caller));
  try {
    const waiting = async () =>
      (
        await stage.store.pool.query(
          `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
        )
      ).rowCount;
    await expect.poll(waiting, { timeout: 20_000, interval: 5 }).toBeGreaterThan(1);
    // One after another, so that those who came for the busy session have all the time to be in the way.
    for (let i = 0; i < 5; i++) {
      const { hangsUp } = await comesIn(elsewhere);
      expect(await hangsUp()).toMatchObject({ status: 200, body: { result: 'applied' } });
    }
  } finally {
    frozen.release(true);
  }
  for (const { status, body } of await Promise.all(leaving))
    expect([status, body]).toEqual([200, { result: 'applied' }]);
  for (const { status } of await Promise.all(keying)) expect(status).toBe(200);
});
