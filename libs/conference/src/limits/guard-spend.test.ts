import { VerdictError } from '@partyline/domain/verdict';
import { setRoomSpendLimit } from '@partyline/store/limits/spend';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { requestDialOut } from '../legs/dial-out.ts';
import { endSession } from '../sessions/end-session.ts';
import { guardSpend } from './guard-spend.ts';
import { getPrompt } from '../prompts.ts';
import {
  executeSql,
  joinByPhone,
  hangUpUntilDone,
  startMeeting,
  openRoom,
  readLegs,
  readSession,
  dialIn,
  type Meeting,
} from '../testing/meeting.ts';
import { resetHarness } from '../testing/pass-time.ts';
import { startTestHarness, type TestHarness, type TestDeps } from '../testing/test-harness.ts';
import { withProviders } from '../testing/with-providers.ts';

let harness: TestHarness;
let deps: TestDeps;
beforeAll(async () => {
  harness = await startTestHarness();
  deps = harness.deps.unified;
});
beforeEach(() => resetHarness(harness));
afterAll(() => harness.close());

/** What the emulator's callers cost here: 10,000 a minute, a rung phone in Britain 40,000, a browser 5,000, a bridge 15,000 (the migration's own rates). */
const RING = 40_000;
const limitTenant = (columns: string, ...values: unknown[]): Promise<void> =>
  executeSql(harness, `UPDATE tenant SET ${columns} WHERE id = $1`, [deps.tenantId, ...values]);
/** Everybody in the meeting has been there for so many minutes. */
const minutesAgo = (meeting: Meeting, minutes: number): Promise<void> =>
  executeSql(
    harness,
    `UPDATE leg SET answered_at = now() - make_interval(mins => $2) WHERE session_id = $1 AND state <> 'ended'`,
    [meeting.sessionId, minutes],
  );
const told = async (meeting: Meeting, type: string) =>
  (
    await harness.store.prisma.outbox.findMany({
      where: { session_id: meeting.sessionId, type },
      orderBy: { seq: 'asc' },
    })
  ).map(({ data }) => data);

describe('while calls run', () => {
  it('a room’s limit is warned of at four fifths, once, by event and voice; and ends its session when it is used up', async () => {
    const meeting = await startMeeting(harness, deps);
    await setRoomSpendLimit(harness.store, meeting.tenantId, meeting.roomId, 1_000_000n);
    // Caller, browser and bridge: 30,000 a minute.
    await minutesAgo(meeting, 20);
    expect(await guardSpend(deps)).toEqual({ warned: 0, ended: 0 });
    await minutesAgo(meeting, 27);
    expect(await guardSpend(deps)).toEqual({ warned: 1, ended: 0 });
    expect(await guardSpend(deps)).toEqual({ warned: 0, ended: 0 });
    expect(await told(meeting, 'spend.warning')).toEqual([
      { scope: 'room-spend', usedMicro: expect.stringMatching(/^8\d{5}$/), allowedMicro: '1000000', currency: 'EUR' },
    ]);
    const heard = (await harness.emulator.client.caller(meeting.caller.id)).timeline
      .filter(({ event }) => event === 'heard')
      .map(({ text }) => text);
    expect(heard.filter((text) => text === getPrompt('en', 'budget-low'))).toHaveLength(1);

    await minutesAgo(meeting, 34);
    expect(await guardSpend(deps)).toEqual({ warned: 0, ended: 1 });
    expect(await readSession(harness, meeting)).toMatchObject({ state: 'ending', end_reason: 'spend-limit' });
    await hangUpUntilDone(harness, deps, meeting);
    expect(await told(meeting, 'session.ended')).toEqual([{ reason: 'spend-limit' }]);
    expect(await guardSpend(deps)).toEqual({ warned: 0, ended: 0 });
  });

  it.each(['money', 'minutes'] as const)(
    'a tenant’s limit of %s ends every session of it, and nobody else’s',
    async (what) => {
      const [a, b] = [await startMeeting(harness, deps), await openRoom(deps)];
      await joinByPhone(harness, deps, b);
      const other = await openRoom({ ...deps, tenantId: 'ten_other' }).catch(async () => {
        await harness.store.prisma.tenant.create({ data: { id: 'ten_other', name: 'Other', home_country: 'GB' } });
        return openRoom({ ...deps, tenantId: 'ten_other' });
      });
      await joinByPhone(harness, { ...deps, tenantId: 'ten_other' }, other);
      for (const meeting of [a, b, other]) await minutesAgo(meeting, 30);
      await (what === 'money'
        ? limitTenant('max_spend_micro_per_month = $2', 900_000)
        : limitTenant('max_minutes_per_month = $2', 100));
      const done = await guardSpend(deps);
      expect(done).toEqual({ warned: 0, ended: 2 });
      expect([
        (await readSession(harness, a)).end_reason,
        (await readSession(harness, b)).end_reason,
        (await readSession(harness, other)).end_reason,
      ]).toEqual(['spend-limit', 'spend-limit', null]);
      // One warning of the tenant's limit, in whichever session came first.
      expect([...(await told(a, 'spend.warning')), ...(await told(b, 'spend.warning'))]).toHaveLength(1);
    },
  );

  it('counts what is over this month with what runs, and not what was over before', async () => {
    const meeting = await startMeeting(harness, deps);
    await limitTenant('max_spend_micro_per_month = $2', 1_000_000);
    await harness.store.pool.query(
      `INSERT INTO cdr (id, tenant_id, leg_id, handle, direction, ended_at, seconds, price_micro, currency, estimate_micro, source) VALUES
       ('cdr_now', $1, 'leg_now', 'voice', 'inbound', now(), 60, 700000, 'EUR', 1, 'callback'), ('cdr_usd', $1, 'leg_usd', 'voice', 'inbound', now(), 60, 700000, 'USD', 1, 'callback'),
       ('cdr_old', $1, 'leg_old', 'voice', 'inbound', date_trunc('month', now()) - interval '1 day', 60, 700000, 'EUR', 1, 'callback')`,
      [meeting.tenantId],
    );
    expect(await guardSpend(deps)).toEqual({ warned: 0, ended: 0 });
    await minutesAgo(meeting, 4);
    expect(await guardSpend(deps)).toEqual({ warned: 1, ended: 0 });
    await minutesAgo(meeting, 11);
    expect(await guardSpend(deps)).toEqual({ warned: 0, ended: 1 });
  });

  it('is decided once, however many look at once', async () => {
    const meeting = await startMeeting(harness, deps);
    await setRoomSpendLimit(harness.store, meeting.tenantId, meeting.roomId, 1_000_000n);
    await minutesAgo(meeting, 40);
    const done = await Promise.all(Array.from({ length: 8 }, () => guardSpend(deps)));
    expect(done.reduce((sum, { ended }) => sum + ended, 0)).toBe(1);
    expect(await told(meeting, 'session.ending')).toEqual([{ reason: 'spend-limit' }]);
    expect(await told(meeting, 'spend.warning')).toHaveLength(1);
  });

  it('stands without Redis, and without a provider who speaks', async () => {
    const meeting = await startMeeting(harness, deps);
    await setRoomSpendLimit(harness.store, meeting.tenantId, meeting.roomId, 1_000_000n);
    await minutesAgo(meeting, 27);
    harness.jobsDown = true;
    const silent = withProviders(deps, {
      voice: {
        capabilities: { ...deps.voice.capabilities, say: false },
        say: () => Promise.reject(new Error('it cannot speak')),
      },
    });
    expect(await guardSpend(silent)).toEqual({ warned: 1, ended: 0 });
    await minutesAgo(meeting, 34);
    expect(await guardSpend(silent)).toEqual({ warned: 0, ended: 1 });
  });

  it('nobody is spoken to before every session that is spent has been ended', async () => {
    const meetings: Meeting[] = [];
    for (const minutes of [90, 110, 90, 110]) {
      const meeting = await openRoom(deps);
      await joinByPhone(harness, deps, meeting);
      await setRoomSpendLimit(harness.store, meeting.tenantId, meeting.roomId, 1_000_000n);
      await minutesAgo(meeting, minutes);
      meetings.push(meeting);
    }
    const ends = (): Promise<unknown[]> =>
      Promise.all(meetings.map(async (meeting) => (await readSession(harness, meeting)).end_reason));
    const seen: unknown[] = [];
    const slow = withProviders(deps, { voice: { say: async () => void seen.push(await ends()) } });
    expect(await guardSpend(slow)).toEqual({ warned: 2, ended: 2 });
    expect(seen).toEqual(Array.from({ length: 2 }, () => [null, 'spend-limit', null, 'spend-limit']));
  });

  it('a limit that is raised is warned of anew', async () => {
    const meeting = await startMeeting(harness, deps);
    await setRoomSpendLimit(harness.store, meeting.tenantId, meeting.roomId, 1_000_000n);
    await minutesAgo(meeting, 27);
    await guardSpend(deps);
    await setRoomSpendLimit(harness.store, meeting.tenantId, meeting.roomId, 2_000_000n);
    expect(await guardSpend(deps)).toEqual({ warned: 0, ended: 0 });
    await minutesAgo(meeting, 55);
    expect(await guardSpend(deps)).toEqual({ warned: 1, ended: 0 });
    expect(await told(meeting, 'spend.warning')).toHaveLength(2);
  });
});

describe('near the limit', () => {
  /** Asks for so many phones at once, in as many sessions. */
  async function ringMany(meetings: readonly Meeting[], each: number): Promise<Record<string, number>> {
    const asked = meetings.flatMap((meeting, m) =>
      Array.from({ length: each }, (_, n) =>
        requestDialOut(deps, meeting.tenantId, meeting.roomId, {
          phone: `+4479468${String(m * 100 + n).padStart(5, '0')}`,
        }).then(
          () => 'begun',
          (error: unknown) => (error instanceof VerdictError ? error.verdict.reason : String(error)),
        ),
      ),
    );
    const counts: Record<string, number> = {};
    for (const outcome of await Promise.all(asked)) counts[outcome] = (counts[outcome] ?? 0) + 1;
    return counts;
  }

  it('of a tenant, of many dial-outs at once in several rooms only those begin for whose first minute there is money', async () => {
    await limitTenant('max_spend_micro_per_month = $2', 7 * RING);
    const meetings = await Promise.all(Array.from({ length: 4 }, () => openRoom(deps, { max_participants: 50 })));
    expect(await ringMany(meetings, 10)).toEqual({ begun: 7, 'spend-limit': 33 });
    expect(await harness.store.prisma.leg.count()).toBe(7);
  });

  it('of a room, the same', async () => {
    const meeting = await openRoom(deps, { max_participants: 50 });
    await setRoomSpendLimit(harness.store, meeting.tenantId, meeting.roomId, BigInt(5 * RING + 1));
    expect(await ringMany([meeting], 20)).toEqual({ begun: 5, 'spend-limit': 15 });
  });

  it('of minutes, the same', async () => {
    await limitTenant('max_minutes_per_month = $2', 6);
    expect(await ringMany([await openRoom(deps, { max_participants: 50 })], 20)).toEqual({
      begun: 6,
      'spend-limit': 14,
    });
  });

  it('what was set aside for calls that ended at once is free again', async () => {
    const meeting = await openRoom(deps);
    await setRoomSpendLimit(harness.store, meeting.tenantId, meeting.roomId, BigInt(RING));
    await ringMany([meeting], 1);
    await endSession(deps, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
    expect(await ringMany([meeting], 2)).toEqual({ begun: 1, 'spend-limit': 1 });
  });

  it('a caller is told that the money is used up, and let go', async () => {
    const meeting = await openRoom(deps);
    await setRoomSpendLimit(harness.store, meeting.tenantId, meeting.roomId, 1n);
    const person = await dialIn(harness);
    await harness.emulator.client.key(person.id, `${meeting.pin}#`);
    await harness.emulator.client.awaitEnded(person.id);
    const heard = (await harness.emulator.client.caller(person.id)).timeline
      .filter(({ event }) => event === 'heard')
      .map(({ text }) => text);
    expect(heard.at(-1)).toBe(getPrompt('en', 'spent'));
    expect(await readLegs(harness, meeting)).toEqual([]);
  });
});

describe('the fraud meters', () => {
  const thresholds = (limits: object): Promise<void> => limitTenant('fraud_limits = $2', JSON.stringify(limits));
  const ring = (meeting: Meeting, phone: string): Promise<string> =>
    requestDialOut(deps, meeting.tenantId, meeting.roomId, { phone }).then(
      () => 'begun',
      (error: unknown) => (error instanceof VerdictError ? error.verdict.reason : String(error)),
    );

  it.each([
    ['callsPerMinute', 3],
    ['concurrent', 3],
  ] as const)('%s: exactly as many as the threshold, of many at once', async (meter, critical) => {
    await thresholds({ [meter]: { warn: 2, critical } });
    const [one, other] = [
      await openRoom(deps, { max_participants: 50 }),
      await openRoom(deps, { max_participants: 50 }),
    ];
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, n) => ring(n % 2 === 0 ? one : other, `+4479469${String(n).padStart(5, '0')}`)),
    );
    expect(outcomes.filter((outcome) => outcome === 'begun')).toHaveLength(critical);
    expect(new Set(outcomes)).toEqual(new Set(['begun', 'fraud-limit']));
    // Warned once, in whichever room it was.
    const warnings = [...(await told(one, 'fraud.warning')), ...(await told(other, 'fraud.warning'))];
    expect(warnings).toEqual([{ meter, measured: 2, threshold: 2 }]);
  });

  it('toOneNumber: other numbers are still rung', async () => {
    await thresholds({ toOneNumber: { warn: 9, critical: 1 } });
    const meeting = await openRoom(deps);
    expect([
      await ring(meeting, '+447946900001'),
      await ring(meeting, '+447946900001'),
      await ring(meeting, '+447946900002'),
    ]).toEqual(['begun', 'fraud-limit', 'begun']);
  });

  it('minutesPerDay counts what is over and what is up; longestMinutes the longest that is up', async () => {
    const meeting = await openRoom(deps);
    await ring(meeting, '+447946900003');
    await executeSql(
      harness,
      `UPDATE leg SET state = 'joined', answered_at = now() - interval '20 minutes' WHERE session_id = $1`,
      [meeting.sessionId],
    );
    await thresholds({ longestMinutes: { warn: 10, critical: 19 } });
    expect(await ring(meeting, '+447946900004')).toBe('fraud-limit');
    await harness.store.pool.query(
      `INSERT INTO cdr (id, tenant_id, leg_id, handle, direction, ended_at, seconds, currency, estimate_micro, source) VALUES ('cdr_past', $1, 'leg_past', 'voice', 'outbound', now() - interval '23 hours', 600, 'EUR', 1, 'callback')`,
      [meeting.tenantId],
    );
    await thresholds({ minutesPerDay: { warn: 10, critical: 29 } });
    expect(await ring(meeting, '+447946900004')).toBe('fraud-limit');
    await thresholds({ minutesPerDay: { warn: 10, critical: 31 } });
    expect(await ring(meeting, '+447946900004')).toBe('begun');
  });
});
