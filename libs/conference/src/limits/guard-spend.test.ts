import { VerdictError } from '@partyline/domain/verdict';
import { setRoomSpendLimit } from '@partyline/store/limits/spend';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { requestDialOut } from '../legs/dial-out.ts';
import { endSession } from '../sessions/end-session.ts';
import { guardSpend } from './guard-spend.ts';
import { getPrompt } from '@partyline/domain/prompts';
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

/**
 * The migration's rates per minute, in millionths: a caller 10,000, a dial-out to Britain 40,000, a
 * browser 5,000, a bridge 15,000.
 */
const DIAL_OUT_RATE_MICRO = 40_000;
const limitTenant = (columns: string, ...values: unknown[]): Promise<void> =>
  executeSql(harness, `UPDATE tenant SET ${columns} WHERE id = $1`, [deps.tenantId, ...values]);
/** Makes the meeting's live legs answered `minutes` ago. */
const setAnsweredMinutesAgo = (meeting: Meeting, minutes: number): Promise<void> =>
  executeSql(
    harness,
    `UPDATE leg SET answered_at = now() - make_interval(mins => $2) WHERE session_id = $1 AND state <> 'ended'`,
    [meeting.sessionId, minutes],
  );
const readEvents = async (meeting: Meeting, type: string) =>
  (
    await harness.store.prisma.outbox.findMany({
      where: { session_id: meeting.sessionId, type },
      orderBy: { seq: 'asc' },
    })
  ).map(({ data }) => data);

describe('guardSpend', () => {
  it("warns once by event and voice at 80 % of a room's limit, and ends the session at the limit", async () => {
    const meeting = await startMeeting(harness, deps);
    await setRoomSpendLimit(harness.store, meeting.tenantId, meeting.roomId, 1_000_000n);
    // Caller, browser and bridge cost 30,000 per minute.
    await setAnsweredMinutesAgo(meeting, 20);
    expect(await guardSpend(deps)).toEqual({ warned: 0, ended: 0 });
    await setAnsweredMinutesAgo(meeting, 27);
    expect(await guardSpend(deps)).toEqual({ warned: 1, ended: 0 });
    expect(await guardSpend(deps)).toEqual({ warned: 0, ended: 0 });
    expect(await readEvents(meeting, 'spend.warning')).toEqual([
      {
        scope: 'room-spend',
        usedMicro: expect.stringMatching(/^8\d{5}$/),
        allowedMicro: '1000000',
        currency: 'EUR',
        externalId: null,
      },
    ]);
    const heard = (await harness.emulator.client.caller(meeting.caller.id)).timeline
      .filter(({ event }) => event === 'heard')
      .map(({ text }) => text);
    expect(heard.filter((text) => text === getPrompt('en', 'budget-low'))).toHaveLength(1);

    await setAnsweredMinutesAgo(meeting, 34);
    expect(await guardSpend(deps)).toEqual({ warned: 0, ended: 1 });
    expect(await readSession(harness, meeting)).toMatchObject({ state: 'ending', end_reason: 'spend-limit' });
    await hangUpUntilDone(harness, deps, meeting);
    expect(await readEvents(meeting, 'session.ended')).toEqual([{ reason: 'spend-limit', externalId: null }]);
    expect(await guardSpend(deps)).toEqual({ warned: 0, ended: 0 });
  });

  it.each(['money', 'minutes'] as const)(
    "a tenant's limit of %s ends all sessions of this tenant and of no other",
    async (limit) => {
      const [a, b] = [await startMeeting(harness, deps), await openRoom(deps)];
      await joinByPhone(harness, deps, b);
      const other = await openRoom({ ...deps, tenantId: 'ten_other' }).catch(async () => {
        await harness.store.prisma.tenant.create({ data: { id: 'ten_other', name: 'Other', home_country: 'GB' } });
        return openRoom({ ...deps, tenantId: 'ten_other' });
      });
      await joinByPhone(harness, { ...deps, tenantId: 'ten_other' }, other);
      for (const meeting of [a, b, other]) await setAnsweredMinutesAgo(meeting, 30);
      await (limit === 'money'
        ? limitTenant('max_spend_micro_per_month = $2', 900_000)
        : limitTenant('max_minutes_per_month = $2', 100));
      const counts = await guardSpend(deps);
      expect(counts).toEqual({ warned: 0, ended: 2 });
      expect([
        (await readSession(harness, a)).end_reason,
        (await readSession(harness, b)).end_reason,
        (await readSession(harness, other)).end_reason,
      ]).toEqual(['spend-limit', 'spend-limit', null]);
      // One warning for the tenant's limit, in either session.
      expect([...(await readEvents(a, 'spend.warning')), ...(await readEvents(b, 'spend.warning'))]).toHaveLength(1);
    },
  );

  it("counts running calls and this month's ended calls, not earlier ones", async () => {
    const meeting = await startMeeting(harness, deps);
    await limitTenant('max_spend_micro_per_month = $2', 1_000_000);
    await harness.store.pool.query(
      `INSERT INTO cdr (
         id, leg_id, ended_at, currency,
         tenant_id, handle, direction, seconds, price_micro, estimate_micro, source
       )
       SELECT id, leg_id, ended_at, currency, $1, 'voice', 'inbound', 60, 700000, 1, 'callback'
       FROM (
         VALUES
           ('cdr_now', 'leg_now', now(), 'EUR'),
           ('cdr_usd', 'leg_usd', now(), 'USD'),
           ('cdr_old', 'leg_old', date_trunc('month', now()) - interval '1 day', 'EUR')
       ) AS past (id, leg_id, ended_at, currency)`,
      [meeting.tenantId],
    );
    expect(await guardSpend(deps)).toEqual({ warned: 0, ended: 0 });
    await setAnsweredMinutesAgo(meeting, 4);
    expect(await guardSpend(deps)).toEqual({ warned: 1, ended: 0 });
    await setAnsweredMinutesAgo(meeting, 11);
    expect(await guardSpend(deps)).toEqual({ warned: 0, ended: 1 });
  });

  it('ends a session once when several processes check at the same time', async () => {
    const meeting = await startMeeting(harness, deps);
    await setRoomSpendLimit(harness.store, meeting.tenantId, meeting.roomId, 1_000_000n);
    await setAnsweredMinutesAgo(meeting, 40);
    const results = await Promise.all(Array.from({ length: 8 }, () => guardSpend(deps)));
    expect(results.reduce((sum, { ended }) => sum + ended, 0)).toBe(1);
    expect(await readEvents(meeting, 'session.ending')).toEqual([{ reason: 'spend-limit', externalId: null }]);
    expect(await readEvents(meeting, 'spend.warning')).toHaveLength(1);
  });

  it('works without Redis and with a provider that cannot speak', async () => {
    const meeting = await startMeeting(harness, deps);
    await setRoomSpendLimit(harness.store, meeting.tenantId, meeting.roomId, 1_000_000n);
    await setAnsweredMinutesAgo(meeting, 27);
    harness.jobsDown = true;
    const silent = withProviders(deps, {
      voice: {
        capabilities: { ...deps.voice.capabilities, say: false },
        say: () => Promise.reject(new Error('say is not supported')),
      },
    });
    expect(await guardSpend(silent)).toEqual({ warned: 1, ended: 0 });
    await setAnsweredMinutesAgo(meeting, 34);
    expect(await guardSpend(silent)).toEqual({ warned: 0, ended: 1 });
  });

  it('speaks warnings only after all exhausted sessions have been ended', async () => {
    const meetings: Meeting[] = [];
    for (const minutes of [90, 110, 90, 110]) {
      const meeting = await openRoom(deps);
      await joinByPhone(harness, deps, meeting);
      await setRoomSpendLimit(harness.store, meeting.tenantId, meeting.roomId, 1_000_000n);
      await setAnsweredMinutesAgo(meeting, minutes);
      meetings.push(meeting);
    }
    const readEndReasons = (): Promise<unknown[]> =>
      Promise.all(meetings.map(async (meeting) => (await readSession(harness, meeting)).end_reason));
    const observed: unknown[] = [];
    const slow = withProviders(deps, { voice: { say: async () => void observed.push(await readEndReasons()) } });
    expect(await guardSpend(slow)).toEqual({ warned: 2, ended: 2 });
    expect(observed).toEqual(Array.from({ length: 2 }, () => [null, 'spend-limit', null, 'spend-limit']));
  });

  it('warns again after the limit has been raised', async () => {
    const meeting = await startMeeting(harness, deps);
    await setRoomSpendLimit(harness.store, meeting.tenantId, meeting.roomId, 1_000_000n);
    await setAnsweredMinutesAgo(meeting, 27);
    await guardSpend(deps);
    await setRoomSpendLimit(harness.store, meeting.tenantId, meeting.roomId, 2_000_000n);
    expect(await guardSpend(deps)).toEqual({ warned: 0, ended: 0 });
    await setAnsweredMinutesAgo(meeting, 55);
    expect(await guardSpend(deps)).toEqual({ warned: 1, ended: 0 });
    expect(await readEvents(meeting, 'spend.warning')).toHaveLength(2);
  });
});

describe('dial-outs near the limit', () => {
  /** Requests `each` dial-outs per meeting, all at once, and counts the outcomes. */
  async function dialMany(meetings: readonly Meeting[], each: number): Promise<Record<string, number>> {
    const requests = meetings.flatMap((meeting, m) =>
      Array.from({ length: each }, (_, n) =>
        requestDialOut(deps, meeting.tenantId, meeting.roomId, {
          phone: `+4479468${String(m * 100 + n).padStart(5, '0')}`,
        }).then(
          () => 'accepted',
          (error: unknown) => (error instanceof VerdictError ? error.verdict.reason : String(error)),
        ),
      ),
    );
    const counts: Record<string, number> = {};
    for (const outcome of await Promise.all(requests)) counts[outcome] = (counts[outcome] ?? 0) + 1;
    return counts;
  }

  it("accepts only as many concurrent dial-outs as the tenant's budget covers for their first minute", async () => {
    await limitTenant('max_spend_micro_per_month = $2', 7 * DIAL_OUT_RATE_MICRO);
    const meetings = await Promise.all(Array.from({ length: 4 }, () => openRoom(deps, { max_participants: 50 })));
    expect(await dialMany(meetings, 10)).toEqual({ accepted: 7, 'spend-limit': 33 });
    expect(await harness.store.prisma.leg.count()).toBe(7);
  });

  it("accepts only as many concurrent dial-outs as the room's budget covers", async () => {
    const meeting = await openRoom(deps, { max_participants: 50 });
    await setRoomSpendLimit(harness.store, meeting.tenantId, meeting.roomId, BigInt(5 * DIAL_OUT_RATE_MICRO + 1));
    expect(await dialMany([meeting], 20)).toEqual({ accepted: 5, 'spend-limit': 15 });
  });

  it("accepts only as many concurrent dial-outs as the tenant's minutes cover", async () => {
    await limitTenant('max_minutes_per_month = $2', 6);
    expect(await dialMany([await openRoom(deps, { max_participants: 50 })], 20)).toEqual({
      accepted: 6,
      'spend-limit': 14,
    });
  });

  it('releases the budget of calls that ended at once', async () => {
    const meeting = await openRoom(deps);
    await setRoomSpendLimit(harness.store, meeting.tenantId, meeting.roomId, BigInt(DIAL_OUT_RATE_MICRO));
    await dialMany([meeting], 1);
    await endSession(deps, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
    expect(await dialMany([meeting], 2)).toEqual({ accepted: 1, 'spend-limit': 1 });
  });

  it('a caller hears that the budget is used up, and is hung up', async () => {
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

describe('fraud limits', () => {
  const setThresholds = (limits: object): Promise<void> => limitTenant('fraud_limits = $2', JSON.stringify(limits));
  const requestDial = (meeting: Meeting, phone: string): Promise<string> =>
    requestDialOut(deps, meeting.tenantId, meeting.roomId, { phone }).then(
      () => 'accepted',
      (error: unknown) => (error instanceof VerdictError ? error.verdict.reason : String(error)),
    );

  it.each([
    ['callsPerMinute', 3],
    ['concurrent', 3],
  ] as const)('%s: accepts exactly the threshold of concurrent dial-outs', async (meter, critical) => {
    await setThresholds({ [meter]: { warn: 2, critical } });
    const [one, other] = [
      await openRoom(deps, { max_participants: 50 }),
      await openRoom(deps, { max_participants: 50 }),
    ];
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        requestDial(n % 2 === 0 ? one : other, `+4479469${String(n).padStart(5, '0')}`),
      ),
    );
    expect(outcomes.filter((outcome) => outcome === 'accepted')).toHaveLength(critical);
    expect(new Set(outcomes)).toEqual(new Set(['accepted', 'fraud-limit']));
    // One warning, in either room.
    const warnings = [...(await readEvents(one, 'fraud.warning')), ...(await readEvents(other, 'fraud.warning'))];
    expect(warnings).toEqual([{ meter, measured: 2, threshold: 2, externalId: null }]);
  });

  it('toOneNumber: dial-outs to other numbers are accepted', async () => {
    await setThresholds({ toOneNumber: { warn: 9, critical: 1 } });
    const meeting = await openRoom(deps);
    expect([
      await requestDial(meeting, '+447946900001'),
      await requestDial(meeting, '+447946900001'),
      await requestDial(meeting, '+447946900002'),
    ]).toEqual(['accepted', 'fraud-limit', 'accepted']);
  });

  it('minutesPerDay counts ended and live calls; longestMinutes measures the longest live call', async () => {
    const meeting = await openRoom(deps);
    await requestDial(meeting, '+447946900003');
    await executeSql(
      harness,
      `UPDATE leg SET state = 'joined', answered_at = now() - interval '20 minutes' WHERE session_id = $1`,
      [meeting.sessionId],
    );
    await setThresholds({ longestMinutes: { warn: 10, critical: 19 } });
    expect(await requestDial(meeting, '+447946900004')).toBe('fraud-limit');
    await harness.store.pool.query(
      `INSERT INTO cdr (
         id, tenant_id, leg_id, handle, direction, ended_at, seconds, currency, estimate_micro, source
       )
       VALUES (
         'cdr_past', $1, 'leg_past', 'voice', 'outbound', now() - interval '23 hours', 600, 'EUR', 1, 'callback'
       )`,
      [meeting.tenantId],
    );
    await setThresholds({ minutesPerDay: { warn: 10, critical: 29 } });
    expect(await requestDial(meeting, '+447946900004')).toBe('fraud-limit');
    await setThresholds({ minutesPerDay: { warn: 10, critical: 31 } });
    expect(await requestDial(meeting, '+447946900004')).toBe('accepted');
  });
});
