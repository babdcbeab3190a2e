import type { LedgerLeg } from '@partyline/vonage-emulator/control-client';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { applyLegEvent } from '../legs/apply-leg-event.ts';
import { dialOut, requestDialOut } from '../legs/dial-out.ts';
import { endSession } from '../sessions/end-session.ts';
import { reconcileCharges } from './reconcile-charges.ts';
import { reconcile } from '../reconciliation/reconcile.ts';
import { sweepInventory } from '../reconciliation/sweep-inventory.ts';
import {
  executeSql,
  hangUpUntilDone,
  joinBrowser,
  startMeeting,
  openRoom,
  readLegs,
  dialIn,
  until,
  untilLegs,
  type Meeting,
} from '../testing/meeting.ts';
import { passTime } from '../testing/pass-time.ts';
import { MEDIA_KINDS, startTestHarness, type TestHarness } from '../testing/test-harness.ts';
import { withProviders } from '../testing/with-providers.ts';

let harness: TestHarness;
let phones = 0;
beforeAll(async () => {
  harness = await startTestHarness();
});
afterEach(() => harness.emulator.client.resetFaults());
afterAll(() => harness.close());

const cdrs = async (where: object) =>
  (await harness.store.prisma.cdr.findMany({ where, orderBy: { id: 'asc' } })).map((record) => ({
    ...record,
    rate_micro: record.rate_micro?.toFixed() ?? null,
    price_micro: record.price_micro?.toFixed() ?? null,
  }));
/** Reads a call from the emulator's ledger. */
const readLedger = async (callId: string): Promise<LedgerLeg> =>
  (await harness.emulator.client.ledger({ callId })).legs.find((leg) => leg.id === callId)!;
const allEnded = async (meeting: Meeting): Promise<boolean> =>
  (await readLegs(harness, meeting)).every((leg) => leg.state === 'ended');

async function dialPhone(
  deps: TestHarness['deps']['unified'],
  meeting: Meeting,
  mode: 'answer' | 'busy' | 'reject' = 'answer',
): Promise<string> {
  const phone = `+4479467${String((phones += 1)).padStart(5, '0')}`;
  await harness.emulator.client.setPhone(phone, { mode });
  const { legId } = await requestDialOut(deps, meeting.tenantId, meeting.roomId, { phone });
  expect(await dialOut(deps, meeting.tenantId, legId)).toBe('dialled');
  return legId;
}

describe.each(MEDIA_KINDS)("the provider's charges (%s)", (kind) => {
  it("are stored for each handle of each leg, and equal the emulator's ledger", async () => {
    const deps = harness.deps[kind];
    const meeting = await startMeeting(harness, deps);
    await dialPhone(deps, meeting);
    await untilLegs(harness, meeting, 'outbound', ['joined']);
    await endSession(deps, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
    await hangUpUntilDone(harness, deps, meeting);

    const records = await cdrs({ session_id: meeting.sessionId });
    const legs = await readLegs(harness, meeting);
    const handles = legs.flatMap(({ id, kind: direction }) =>
      (direction === 'bridge' ? ['media', 'voice'] : [direction === 'webrtc' ? 'media' : 'voice']).map((handle) => [
        id,
        handle,
      ]),
    );
    expect(records.map(({ leg_id, handle }) => [leg_id, handle])).toEqual(expect.arrayContaining(handles));
    expect(records).toHaveLength(5);
    for (const record of records) {
      expect(record).toMatchObject({ tenant_id: meeting.tenantId, room_id: meeting.roomId, currency: 'EUR' });
      if (record.handle !== 'voice') {
        // The provider does not report the price of a connection.
        expect(record).toMatchObject({ price_micro: null, price_lookup_at: null });
        expect(record.seconds).toBeGreaterThan(0);
        expect(record.estimate_micro).toBeGreaterThan(0n);
        continue;
      }
      const entry = await readLedger(legs.find(({ id }) => id === record.leg_id)?.voice_call_id ?? '');
      expect({ seconds: record.seconds, price: record.price_micro }).toEqual({
        seconds: entry.billedSeconds,
        price: String(entry.chargeMicros),
      });
      expect(Number(record.rate_micro)).toBeGreaterThan(0);
    }
  });
});

describe('a call that was never answered', () => {
  it.each(['busy', 'reject'] as const)('has one record with a price of 0 (%s)', async (mode) => {
    const deps = harness.deps.unified;
    const meeting = await openRoom(deps);
    const legId = await dialPhone(deps, meeting, mode);
    await until(() => allEnded(meeting), true);
    // The event with the reason came first; the price follows in a second event or a look-up.
    await executeSql(
      harness,
      `UPDATE cdr SET price_lookup_at = now() - interval '1 second' WHERE leg_id = $1 AND price_micro IS NULL`,
      [legId],
    );
    await reconcileCharges(deps);
    expect(await cdrs({ leg_id: legId })).toMatchObject([
      { seconds: 0, price_micro: '0', started_at: null, price_lookup_at: null },
    ]);
  });
});

describe('a browser whose end is found by a look-up only', () => {
  it.each(['sweep', 'hang-up'] as const)(
    "is charged until the first list without it, by the database's clock, not the process's (%s)",
    async (cause) => {
      const deps = {
        ...harness.deps.unified,
        clock: { now: () => new Date(harness.deps.unified.clock.now().getTime() + 86_400_000) },
      };
      const meeting = await openRoom(deps);
      const { connectionId } = await joinBrowser(harness, meeting);
      await passTime(harness, 60);
      await harness.emulator.client.setFaults({ webhooks: [{ kind: 'session-callback', fault: 'drop' }] });
      if (cause === 'sweep') await harness.emulator.client.leaveWebrtc(connectionId);
      else await endSession(deps, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
      const lookUp = () => (cause === 'sweep' ? sweepInventory(deps, null) : reconcile(deps));
      await passTime(harness, 3);
      // The first look-up requests the hang-up, the second finds the connection missing.
      await lookUp();
      await passTime(harness, 3);
      await lookUp();
      const firstMissingAt = (await readLegs(harness, meeting))[0]?.media_missing_since?.getTime() ?? Number.NaN;
      await passTime(harness, 31);
      await lookUp();
      const [leg] = await readLegs(harness, meeting);
      expect(leg).toMatchObject({ state: 'ended', reason: 'not-in-list' });
      const [record] = await cdrs({ leg_id: leg?.id ?? 'none' });
      expect(record).toMatchObject({ handle: 'media', source: 'look-up', ended_at: leg?.media_missing_since });
      expect(record?.seconds).toBe(
        Math.ceil(
          ((leg?.media_missing_since?.getTime() ?? Number.NaN) - (leg?.joined_at?.getTime() ?? Number.NaN)) / 1000,
        ),
      );
      expect(leg?.media_missing_since?.getTime()).toBeCloseTo(firstMissingAt - 31_000, -1);
    },
  );
});

describe('a charge record', () => {
  const runCall = async (): Promise<{ legId: string; callId: string; meeting: Meeting }> => {
    const deps = harness.deps.unified;
    const meeting = await openRoom(deps);
    const legId = await dialPhone(deps, meeting);
    await untilLegs(harness, meeting, 'outbound', ['joined']);
    await endSession(deps, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
    await hangUpUntilDone(harness, deps, meeting);
    const [leg] = await readLegs(harness, meeting);
    return { legId, callId: String(leg?.voice_call_id), meeting };
  };

  /** Drops the completed events, so that only the look-up reports the end of the call. */
  const DROP_COMPLETED = { webhooks: [{ kind: 'event' as const, event: 'completed', fault: 'drop' as const }] };

  it('is stored from the look-up that closes the leg when the webhooks are lost', async () => {
    await harness.emulator.client.setFaults(DROP_COMPLETED);
    const { legId, callId } = await runCall();
    const entry = await readLedger(callId);
    expect(await cdrs({ leg_id: legId })).toMatchObject([
      { source: 'look-up', seconds: entry.billedSeconds, price_micro: String(entry.chargeMicros) },
    ]);
  });

  it('is not changed or duplicated by repeated end events', async () => {
    const { legId, callId } = await runCall();
    const before = await cdrs({ leg_id: legId });
    const duplicate = harness.deps.unified.voice.parseEvent({
      uuid: callId,
      status: 'completed',
      duration: '999',
      rate: '9.0',
      price: '9.9',
      timestamp: new Date().toISOString(),
    });
    for (let n = 0; n < 5; n++)
      await applyLegEvent(harness.deps.unified, { via: 'look-up', accountId: null }, duplicate);
    expect(await cdrs({ leg_id: legId })).toEqual(before);
  });

  it("without a price is completed once from the provider's call record, with concurrent look-ups", async () => {
    await harness.emulator.client.setFaults(DROP_COMPLETED);
    const { legId, callId } = await runCall();
    const entry = await readLedger(callId);
    await executeSql(
      harness,
      `UPDATE cdr
       SET price_micro = NULL, rate_micro = NULL, seconds = 77, price_lookup_at = now() - interval '1 second'
       WHERE leg_id = $1`,
      [legId],
    );
    const counts = await Promise.all(Array.from({ length: 3 }, () => reconcileCharges(harness.deps.unified)));
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(1);
    expect(await cdrs({ leg_id: legId })).toMatchObject([
      {
        source: 'record',
        seconds: entry.billedSeconds,
        price_micro: String(entry.chargeMicros),
        price_lookup_at: null,
      },
    ]);
  });

  it('retries a failed look-up with back-off, and stops after ten days', async () => {
    await harness.emulator.client.setFaults(DROP_COMPLETED);
    const { legId } = await runCall();
    await executeSql(
      harness,
      `UPDATE cdr SET price_micro = NULL, price_lookup_at = now() - interval '1 second' WHERE leg_id = $1`,
      [legId],
    );
    await harness.emulator.client.setFaults({ ...DROP_COMPLETED, rest: [{ route: 'get-call', fault: '503' }] });
    const waitMinutes: unknown[] = [];
    for (let round = 0; round < 3; round++) {
      expect(await reconcileCharges(harness.deps.unified)).toBe(0);
      const { rows } = await harness.store.pool.query<{ wait: number }>(
        'SELECT round(extract(epoch FROM price_lookup_at - now()) / 60)::int AS wait FROM cdr WHERE leg_id = $1',
        [legId],
      );
      waitMinutes.push(rows[0]?.wait);
      await executeSql(harness, `UPDATE cdr SET price_lookup_at = now() - interval '1 second' WHERE leg_id = $1`, [
        legId,
      ]);
    }
    expect(waitMinutes).toEqual([1, 2, 4]);
    await executeSql(harness, `UPDATE cdr SET stored_at = now() - interval '11 days' WHERE leg_id = $1`, [legId]);
    await reconcileCharges(harness.deps.unified);
    expect(await cdrs({ leg_id: legId })).toMatchObject([{ price_micro: null, price_lookup_at: null }]);
  });

  it('is looked up soon when its call is reported as over again, without a price', async () => {
    const { legId, callId } = await runCall();
    const over = (jti: string) =>
      applyLegEvent(
        harness.deps.unified,
        { via: 'callback', token: { accountId: null, jti, expiresAt: new Date(Date.now() + 300_000) } },
        { kind: 'call', callId, phase: 'over', at: new Date() },
      );
    const priced = await cdrs({ leg_id: legId });
    await over(`${callId} first`);
    expect(await cdrs({ leg_id: legId })).toEqual(priced);

    await executeSql(
      harness,
      `UPDATE cdr
       SET price_micro = NULL, seconds = 3, price_lookups = 9, price_lookup_at = now() + interval '6 hours'
       WHERE leg_id = $1`,
      [legId],
    );
    await over(`${callId} second`);
    const [{ price_lookup_at: lookupAt, ...record } = {}] = await cdrs({ leg_id: legId });
    expect(record).toMatchObject({ price_lookups: 0, seconds: 3 });
    expect(new Date(String(lookupAt)).getTime()).toBeLessThan(Date.now() + 300_000);

    await executeSql(harness, 'UPDATE cdr SET price_lookup_at = now() WHERE leg_id = $1', [legId]);
    await reconcileCharges(harness.deps.unified);
    expect(await cdrs({ leg_id: legId })).toMatchObject([{ seconds: (await readLedger(callId)).billedSeconds }]);
  });

  it('is looked up every minute while its call is live', async () => {
    const { legId } = await runCall();
    await executeSql(
      harness,
      'UPDATE cdr SET price_micro = NULL, price_lookups = 9, price_lookup_at = now() WHERE leg_id = $1',
      [legId],
    );
    const { voice } = harness.deps.unified;
    const live = withProviders(harness.deps.unified, {
      voice: { getCall: async (callId) => ({ ...(await voice.getCall(callId))!, over: false }) },
    });
    expect(await reconcileCharges(live)).toBe(0);
    const [{ price_lookup_at: lookupAt, ...record } = {}] = await cdrs({ leg_id: legId });
    expect(record).toMatchObject({ price_lookups: 0, price_micro: null });
    expect(new Date(String(lookupAt)).getTime()).toBeLessThan(Date.now() + 300_000);
  });

  it('of a caller who was never admitted belongs to the platform', async () => {
    const person = await dialIn(harness);
    await harness.emulator.client.hangUp(person.id);
    await until(
      async () => (await harness.store.prisma.cdr.count({ where: { tenant_id: null, direction: 'inbound' } })) > 0,
      true,
    );
    const entry = await readLedger(person.callId);
    const leg = await harness.store.prisma.leg.findUniqueOrThrow({ where: { voice_call_id: person.callId } });
    expect(await cdrs({ leg_id: leg.id })).toMatchObject([
      { tenant_id: null, room_id: null, seconds: entry.billedSeconds, price_micro: String(entry.chargeMicros) },
    ]);
  });
});
