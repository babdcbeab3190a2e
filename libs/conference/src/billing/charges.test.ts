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

let harness: TestHarness;
let phones = 0;
beforeAll(async () => {
  harness = await startTestHarness();
});
afterEach(() => harness.emulator.client.resetFaults());
afterAll(() => harness.close());

const cdrs = (where: object) => harness.store.prisma.cdr.findMany({ where, orderBy: { id: 'asc' } });
/** The vendor's own books for a call. */
const ledger = async (callId: string): Promise<LedgerLeg> =>
  (await harness.emulator.client.ledger({ callId })).legs.find((leg) => leg.id === callId)!;
const allEnded = async (meeting: Meeting): Promise<boolean> =>
  (await readLegs(harness, meeting)).every((leg) => leg.state === 'ended');

async function rung(
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

describe.each(MEDIA_KINDS)('what the provider charges, in %s', (kind) => {
  it('is written down for each side of each leg, to the second and the millionth of the vendor’s own books', async () => {
    const deps = harness.deps[kind];
    const meeting = await startMeeting(harness, deps);
    await rung(deps, meeting);
    await untilLegs(harness, meeting, 'outbound', ['joined']);
    await endSession(deps, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
    await hangUpUntilDone(harness, deps, meeting);

    const records = await cdrs({ session_id: meeting.sessionId });
    const legs = await readLegs(harness, meeting);
    const sides = legs.flatMap(({ id, kind: direction }) =>
      (direction === 'bridge' ? ['media', 'voice'] : [direction === 'webrtc' ? 'media' : 'voice']).map((handle) => [
        id,
        handle,
      ]),
    );
    expect(records.map(({ leg_id, handle }) => [leg_id, handle])).toEqual(expect.arrayContaining(sides));
    expect(records).toHaveLength(5);
    for (const record of records) {
      expect(record).toMatchObject({ tenant_id: meeting.tenantId, room_id: meeting.roomId, currency: 'EUR' });
      if (record.handle !== 'voice') {
        // The vendor does not say what a connection costs.
        expect(record).toMatchObject({ price_micro: null, price_lookup_at: null });
        expect(record.seconds).toBeGreaterThan(0);
        expect(record.estimate_micro).toBeGreaterThan(0n);
        continue;
      }
      const line = await ledger(legs.find(({ id }) => id === record.leg_id)!.voice_call_id!);
      expect({ seconds: record.seconds, price: record.price_micro }).toEqual({
        seconds: line.billedSeconds,
        price: BigInt(line.chargeMicros),
      });
      expect(record.rate_micro).toBeGreaterThan(0n);
    }
  });
});

describe('a call that was never answered', () => {
  it.each(['busy', 'reject'] as const)('costs nothing, and says so once: %s', async (mode) => {
    const deps = harness.deps.unified;
    const meeting = await openRoom(deps);
    const legId = await rung(deps, meeting, mode);
    await until(() => allEnded(meeting), true);
    // Why it was over came first; what it costs comes after, or is asked for.
    await executeSql(
      harness,
      `UPDATE cdr SET price_lookup_at = now() - interval '1 second' WHERE leg_id = $1 AND price_micro IS NULL`,
      [legId],
    );
    await reconcileCharges(deps);
    expect(await cdrs({ leg_id: legId })).toMatchObject([
      { seconds: 0, price_micro: 0n, started_at: null, price_lookup_at: null },
    ]);
  });
});

describe('a browser whose going only a look-up tells of', () => {
  it.each(['sweep', 'hang-up'] as const)(
    'is charged until the first list that lacked it, by the database’s clock, whatever the process’s own says: %s',
    async (found) => {
      const deps = {
        ...harness.deps.unified,
        clock: { now: () => new Date(harness.deps.unified.clock.now().getTime() + 86_400_000) },
      };
      const meeting = await openRoom(deps);
      const { connectionId } = await joinBrowser(harness, meeting);
      await passTime(harness, 60);
      await harness.emulator.client.setFaults({ webhooks: [{ kind: 'session-callback', fault: 'drop' }] });
      if (found === 'sweep') await harness.emulator.client.leaveWebrtc(connectionId);
      else await endSession(deps, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
      const look = () => (found === 'sweep' ? sweepInventory(deps, null) : reconcile(deps));
      await passTime(harness, 3);
      // One to ask for it, one to see that it is gone.
      await look();
      await passTime(harness, 3);
      await look();
      const missedAt = (await readLegs(harness, meeting))[0]?.media_missing_since?.getTime() ?? Number.NaN;
      await passTime(harness, 31);
      await look();
      const [leg] = await readLegs(harness, meeting);
      expect(leg).toMatchObject({ state: 'ended', reason: 'not-in-list' });
      const [record] = await cdrs({ leg_id: leg?.id ?? 'none' });
      expect(record).toMatchObject({ handle: 'media', source: 'look-up', ended_at: leg?.media_missing_since });
      expect(record?.seconds).toBe(
        Math.ceil(
          ((leg?.media_missing_since?.getTime() ?? Number.NaN) - (leg?.joined_at?.getTime() ?? Number.NaN)) / 1000,
        ),
      );
      expect(leg?.media_missing_since?.getTime()).toBeCloseTo(missedAt - 31_000, -1);
    },
  );
});

describe('a record', () => {
  const finished = async (): Promise<{ legId: string; callId: string; meeting: Meeting }> => {
    const deps = harness.deps.unified;
    const meeting = await openRoom(deps);
    const legId = await rung(deps, meeting);
    await untilLegs(harness, meeting, 'outbound', ['joined']);
    await endSession(deps, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
    await hangUpUntilDone(harness, deps, meeting);
    const [leg] = await readLegs(harness, meeting);
    return { legId, callId: String(leg?.voice_call_id), meeting };
  };

  /** With it, nothing of a call's end comes later than the look-up that closed its leg. */
  const NOT_TOLD = { webhooks: [{ kind: 'event' as const, event: 'completed', fault: 'drop' as const }] };

  it('is there when every webhook is lost: the look-up that closes the leg brings it', async () => {
    await harness.emulator.client.setFaults(NOT_TOLD);
    const { legId, callId } = await finished();
    const line = await ledger(callId);
    expect(await cdrs({ leg_id: legId })).toMatchObject([
      { source: 'look-up', seconds: line.billedSeconds, price_micro: BigInt(line.chargeMicros) },
    ]);
  });

  it('stays one, and as it was first, however often the end is told', async () => {
    const { legId, callId } = await finished();
    const before = await cdrs({ leg_id: legId });
    const again = harness.deps.unified.voice.parseEvent({
      uuid: callId,
      status: 'completed',
      duration: '999',
      rate: '9.0',
      price: '9.9',
      timestamp: new Date().toISOString(),
    });
    for (let n = 0; n < 5; n++) await applyLegEvent(harness.deps.unified, { via: 'look-up', accountId: null }, again);
    expect(await cdrs({ leg_id: legId })).toEqual(before);
  });

  it('without a price is completed from the provider’s own record, by one of those who ask', async () => {
    await harness.emulator.client.setFaults(NOT_TOLD);
    const { legId, callId } = await finished();
    const line = await ledger(callId);
    await executeSql(
      harness,
      `UPDATE cdr SET price_micro = NULL, rate_micro = NULL, seconds = 77, price_lookup_at = now() - interval '1 second' WHERE leg_id = $1`,
      [legId],
    );
    const filled = await Promise.all(Array.from({ length: 3 }, () => reconcileCharges(harness.deps.unified)));
    expect(filled.reduce((sum, each) => sum + each, 0)).toBe(1);
    expect(await cdrs({ leg_id: legId })).toMatchObject([
      { source: 'record', seconds: line.billedSeconds, price_micro: BigInt(line.chargeMicros), price_lookup_at: null },
    ]);
  });

  it('is asked for again later when the provider cannot be asked, ever more seldom, and no longer after ten days', async () => {
    await harness.emulator.client.setFaults(NOT_TOLD);
    const { legId } = await finished();
    await executeSql(
      harness,
      `UPDATE cdr SET price_micro = NULL, price_lookup_at = now() - interval '1 second' WHERE leg_id = $1`,
      [legId],
    );
    await harness.emulator.client.setFaults({ ...NOT_TOLD, rest: [{ route: 'get-call', fault: '503' }] });
    const waits: unknown[] = [];
    for (let round = 0; round < 3; round++) {
      expect(await reconcileCharges(harness.deps.unified)).toBe(0);
      const { rows } = await harness.store.pool.query<{ wait: number }>(
        'SELECT round(extract(epoch FROM price_lookup_at - now()) / 60)::int AS wait FROM cdr WHERE leg_id = $1',
        [legId],
      );
      waits.push(rows[0]?.wait);
      await executeSql(harness, `UPDATE cdr SET price_lookup_at = now() - interval '1 second' WHERE leg_id = $1`, [
        legId,
      ]);
    }
    expect(waits).toEqual([1, 2, 4]);
    await executeSql(harness, `UPDATE cdr SET stored_at = now() - interval '11 days' WHERE leg_id = $1`, [legId]);
    await reconcileCharges(harness.deps.unified);
    expect(await cdrs({ leg_id: legId })).toMatchObject([{ price_micro: null, price_lookup_at: null }]);
  });

  it('of a caller who was never admitted is the platform’s', async () => {
    const person = await dialIn(harness);
    await harness.emulator.client.hangUp(person.id);
    await until(
      async () => (await harness.store.prisma.cdr.count({ where: { tenant_id: null, direction: 'inbound' } })) > 0,
      true,
    );
    const line = await ledger(person.callId);
    const leg = await harness.store.prisma.leg.findUniqueOrThrow({ where: { voice_call_id: person.callId } });
    expect(await cdrs({ leg_id: leg.id })).toMatchObject([
      { tenant_id: null, room_id: null, seconds: line.billedSeconds, price_micro: BigInt(line.chargeMicros) },
    ]);
  });
});
