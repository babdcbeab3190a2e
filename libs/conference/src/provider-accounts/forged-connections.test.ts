import { randomUUID } from 'node:crypto';
import type { MediaEvent } from '@partyline/provider-contract/provider-event';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { hangUpSession } from '../hang-ups/hang-up-session.ts';
import { applyMediaEvent } from '../legs/apply-media-event.ts';
import { writeConnectionData } from '../legs/connection-data.ts';
import { sweepInventory } from '../reconciliation/sweep-inventory.ts';
import { endSession } from '../sessions/end-session.ts';
import { addOwnAccount, type OwnAccount } from '../testing/add-own-account.ts';
import { executeSql, openRoom, readLegs, until, type Meeting } from '../testing/meeting.ts';
import { passTime, resetHarness } from '../testing/pass-time.ts';
import { startTestHarness, type TestDeps, type TestHarness } from '../testing/test-harness.ts';
import { withProviders } from '../testing/with-providers.ts';

/*
 * A tenant can sign callbacks of its own account for connections that do not exist. They are
 * limited as its calls are (forged-calls.test.ts).
 */

/** `max_unseen_calls`. */
const MAX_POSSIBLY_FORGED = 200;

let harness: TestHarness;
let deps: TestDeps;
let own: OwnAccount;
let meeting: Meeting;
beforeAll(async () => {
  harness = await startTestHarness();
});
beforeEach(async () => {
  await resetHarness(harness);
  deps = harness.deps.unified;
  own = await addOwnAccount(harness, deps);
  meeting = await openRoom(deps, { numberWanted: { number: own.number } });
});
afterAll(() => harness.close());

type BrowserEvent = Extract<MediaEvent, { kind: 'connected' | 'disconnected' }>;

/** Reports a connection that does not exist, as the owner of the account can. */
async function reportConnection(
  of: Meeting = meeting,
  accountId: string | null = own.accountId,
  event: Partial<BrowserEvent> = {},
): Promise<'applied' | 'ignored'> {
  return applyMediaEvent(
    deps,
    { via: 'callback', token: { accountId, jti: randomUUID(), expiresAt: new Date(Date.now() + 300_000) } },
    {
      kind: 'connected',
      mediaSessionId: of.mediaSessionId,
      connectionId: randomUUID(),
      data: writeConnectionData({ participant: null }),
      at: new Date(),
      ...event,
    } as BrowserEvent,
  );
}
const countBrowsers = async (of: Meeting = meeting): Promise<number> => (await readLegs(harness, of, 'webrtc')).length;
/** Inserts browsers of the account, as callbacks could have. */
const insertBrowsers = (count: number, columns: string, values: string): Promise<void> =>
  executeSql(
    harness,
    `INSERT INTO leg (id, tenant_id, session_id, account_id, kind, media_connection_id, deadline_at, ${columns})
     SELECT 'leg_' || gen_random_uuid(), $1, $2, $3, 'webrtc', gen_random_uuid(), now(), ${values}
     FROM generate_series(1, $4)`,
    [meeting.tenantId, meeting.sessionId, own.accountId, count],
  );

describe('callbacks of connections that do not exist', () => {
  it('open a limited number of legs, which are hung up because the room is full', async () => {
    await executeSql(harness, 'UPDATE room SET max_participants = 2');
    for (let n = 0; n < MAX_POSSIBLY_FORGED + 2; n++) expect(await reportConnection()).toBe('applied');
    expect(await reportConnection()).toBe('ignored');
    // Also one that was reported as closed first.
    expect(await reportConnection(meeting, own.accountId, { kind: 'disconnected', reason: 'gone' })).toBe('ignored');
    expect(await countBrowsers()).toBe(MAX_POSSIBLY_FORGED + 2);
    expect(harness.counters).toContain('webhook_ignored account-busy tenant');
    // The platform's account is not affected.
    const other = await openRoom(deps);
    expect(await reportConnection(other, null)).toBe('applied');
  });

  it.each([
    ['lists lacked in the last hour', 'state, media_missing_since', `'ended', now()`, 3_601],
    [
      'are not confirmed as hung up after a minute',
      'state, hangup_requested_at, created_at',
      `'ending', now() - interval '2 minutes', now() - interval '2 hours'`,
      null,
    ],
  ])('are ignored while too many %s', async (_what, columns, values, until_) => {
    await insertBrowsers(MAX_POSSIBLY_FORGED - 1, columns, values);
    expect(await reportConnection()).toBe('applied');
    await insertBrowsers(1, columns, values);
    expect(await reportConnection()).toBe('ignored');
    if (until_ === null) return;
    await passTime(harness, until_);
    expect(await reportConnection()).toBe('applied');
  });

  it('are ignored when too many were opened in the last hour', async () => {
    await insertBrowsers(3_600, 'state, ended_at', `'ended', now()`);
    expect(await reportConnection()).toBe('ignored');
    await passTime(harness, 3_601);
    expect(await reportConnection()).toBe('applied');
  });

  it('are ignored while the tenant is suspended, except about a leg', async () => {
    const connectionId = randomUUID();
    await reportConnection(meeting, own.accountId, { connectionId });
    await executeSql(harness, 'UPDATE tenant SET suspended_at = now()');
    expect(await reportConnection()).toBe('ignored');
    expect(harness.counters).toContain('webhook_ignored tenant-suspended tenant');
    const gone = { kind: 'disconnected', connectionId, reason: 'clientDisconnected' } as const;
    expect(await reportConnection(meeting, own.accountId, gone)).toBe('applied');
    expect((await readLegs(harness, meeting, 'webrtc')).map(({ state }) => state)).toEqual(['ended']);
  });

  it('hide no real connection: the next inventory opens its leg', async () => {
    await insertBrowsers(MAX_POSSIBLY_FORGED, 'state, media_missing_since', `'ended', now()`);
    const { connectionId } = await harness.emulator.client.joinWebrtc({
      sessionId: meeting.mediaSessionId,
      token: meeting.token,
    });
    await until(async () => harness.counters.includes('webhook_ignored account-busy tenant'), true);
    const isUp = async () =>
      (await readLegs(harness, meeting, 'webrtc')).some(
        (leg) => leg.media_connection_id === connectionId && leg.state === 'joined',
      );
    expect(await isUp()).toBe(false);
    await sweepInventory(deps, own.accountId);
    expect(await isUp()).toBe(true);
  });
});

it('the hang-up job of a session hangs up a limited number of legs at once', async () => {
  const other = await openRoom(deps, { max_participants: 100 });
  for (let n = 0; n < 50; n++) await reportConnection(other, null);
  await endSession(deps, other.tenantId, other.sessionId, 'ended-by-tenant');
  let running = 0;
  let open = (): void => undefined;
  const gate = new Promise<void>((resolve) => (open = resolve));
  const disconnect = async (): Promise<void> => {
    running += 1;
    await gate;
  };
  const done = hangUpSession(withProviders(deps, { media: { disconnect } }), other.tenantId, other.sessionId);
  await until(async () => running >= 32, true);
  // Time for more than these.
  for (let n = 0; n < 50; n++) await readLegs(harness, other);
  expect(running).toBe(32);
  open();
  await done;
  expect(running).toBe(50);
});
