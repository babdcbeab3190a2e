import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { NUMBER, PIN, startTestHarness, type TenantAccount, type TestHarness } from './testing/test-harness.ts';

/**
 * With a long statement timeout: a webhook that waits for the locked row is not answered before the
 * lock ends.
 */
let harness: TestHarness;
beforeAll(async () => {
  harness = await startTestHarness({ statementTimeoutMs: 60_000 });
});
afterAll(() => harness.stop());

/** More than either connection pool has connections. */
const CALLERS_PER_SESSION = 9;

type Ncco = { action: string; eventUrl?: string[] }[];
type CalledNumber = Pick<TenantAccount, 'number'> & Partial<Pick<TenantAccount, 'accountId' | 'signer'>>;

const signedFor = ({ signer }: CalledNumber) => (signer === undefined ? {} : { signer });
const actions = (ncco: unknown): string => (ncco as Ncco).map(({ action }) => action).join(' ');

/** A call that is prompted for a PIN; `path` is the path of the digits webhook. */
async function dialIn(called: CalledNumber): Promise<{ uuid: string; path: string }> {
  const uuid = randomUUID();
  const base = called.accountId === undefined ? '/v1' : `/v1/accounts/${called.accountId}`;
  const { body } = await harness.send(
    `${base}/voice/answer`,
    { from: '442079460011', to: called.number.slice(1), uuid, conversation_uuid: `CON-${uuid}` },
    signedFor(called),
  );
  return { uuid, path: new URL((body as Ncco).find(({ action }) => action === 'input')?.eventUrl?.[0] ?? '').pathname };
}
const keyPin = (called: CalledNumber, { uuid, path }: { uuid: string; path: string }) =>
  harness.send(path, { uuid, conversation_uuid: 'CON-1', dtmf: { digits: PIN, timed_out: false } }, signedFor(called));

/** A caller who is admitted with the PIN. `hangUp` sends the event of the end of the call. */
async function dialInAndJoin(called: CalledNumber): Promise<{ hangUp: () => ReturnType<TestHarness['send']> }> {
  const caller = await dialIn(called);
  const { body } = await keyPin(called, caller);
  expect(actions(body)).toBe('talk conversation');
  const events = new URL((body as Ncco)[1]?.eventUrl?.[0] ?? '').pathname;
  return {
    hangUp: () =>
      harness.send(
        events,
        { uuid: caller.uuid, status: 'completed', timestamp: new Date().toISOString() },
        signedFor(called),
      ),
  };
}

it('a locked session row delays no callers or events of other sessions', async () => {
  const busy: CalledNumber = { number: NUMBER };
  const elsewhere = await harness.createTenantAccount();
  const joined = await Promise.all(Array.from({ length: CALLERS_PER_SESSION }, () => dialInAndJoin(busy)));
  const prompted = await Promise.all(Array.from({ length: CALLERS_PER_SESSION }, () => dialIn(busy)));

  // Simulates a process that froze within a transaction.
  const frozen = await harness.store.pool.connect();
  await frozen.query(
    `SET idle_in_transaction_session_timeout = 0;
     BEGIN;
     SELECT FROM session WHERE tenant_id = 'ten_a' FOR UPDATE`,
  );
  const leaving = joined.map(({ hangUp: hangsUp }) => hangsUp());
  const keying = prompted.map((caller) => keyPin(busy, caller));
  try {
    const waiting = async () =>
      (
        await harness.store.pool.query(
          `SELECT
           FROM pg_stat_activity
           WHERE datname = current_database() AND wait_event_type = 'Lock'`,
        )
      ).rowCount;
    await expect.poll(waiting, { timeout: 20_000, interval: 5 }).toBeGreaterThan(1);
    // One after another, so that the webhooks of the busy session have time to block them.
    for (let i = 0; i < 5; i++) {
      const { hangUp: hangsUp } = await dialInAndJoin(elsewhere);
      expect(await hangsUp()).toMatchObject({ status: 200, body: { result: 'applied' } });
    }
  } finally {
    frozen.release(true);
  }
  for (const { status, body } of await Promise.all(leaving))
    expect([status, body]).toEqual([200, { result: 'applied' }]);
  for (const { status } of await Promise.all(keying)) expect(status).toBe(200);
});
