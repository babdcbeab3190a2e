import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { VoiceProvider } from '@partyline/provider-contract/voice-provider';
import type { LegRow } from '@partyline/store/legs/legs';
import { endSession } from '../sessions/end-session.ts';
import { hangUpLeg } from '../hang-ups/hang-up-leg.ts';
import { joinByPhone, openRoom, readLegs, untilLegs, listLegsAtProvider, type Meeting } from '../testing/meeting.ts';
import { countHangUpRequests, passTime, resetHarness } from '../testing/pass-time.ts';
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

/** Opens a session with a caller and ends it: one leg whose hang-up is requested. */
async function openEndingSession(): Promise<{ meeting: Meeting; legId: string; callId: string }> {
  const meeting = await openRoom(deps);
  const { callId } = await joinByPhone(harness, deps, meeting);
  await endSession(deps, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
  const [leg] = await readLegs(harness, meeting);
  return { meeting, legId: leg?.id ?? '', callId };
}
const read = async (legId: string): Promise<LegRow> =>
  (await harness.store.prisma.leg.findUniqueOrThrow({ where: { id: legId } })) as LegRow;
const databaseNow = async (): Promise<number> =>
  (await harness.store.pool.query<{ at: Date }>('SELECT clock_timestamp() AS at')).rows.at(0)?.at.getTime() ?? NaN;
/** Expects an attempt to return the time until `until`, by the database's clock. */
async function expectRetryAt(legId: string, until: number): Promise<void> {
  const before = await databaseNow();
  const result = await hangUpLeg(deps, deps.tenantId, legId);
  const after = await databaseNow();
  const retryAfterMs = result === 'done' ? NaN : result.retryAfterMs;
  expect(retryAfterMs).toBeGreaterThanOrEqual(until - after - 1);
  expect(retryAfterMs).toBeLessThanOrEqual(until - before + 1);
}
const countRequestsFor = async (callId: string): Promise<number> => (await countHangUpRequests(harness))[callId] ?? 0;

/**
 * Returns deps whose hang-up requests wait: `reached` resolves at the first, `open` releases them.
 */
function withHeldHangUps(): { deps: TestDeps; reached: Promise<void>; open: () => void } {
  let arrive = (): void => undefined;
  let open = (): void => undefined;
  const reached = new Promise<void>((resolve) => (arrive = resolve));
  const opened = new Promise<void>((resolve) => (open = resolve));
  const hangUp: VoiceProvider['hangUp'] = async (callId) => {
    arrive();
    await opened;
    await deps.voice.hangUp(callId);
  };
  return { deps: withProviders(deps, { voice: { hangUp } }), reached, open };
}

describe('the lease of a hang-up attempt', () => {
  it('excludes other attempts on the leg', async () => {
    const { legId, callId, meeting } = await openEndingSession();
    const first = withHeldHangUps();
    const attempt = hangUpLeg(first.deps, deps.tenantId, legId);
    await first.reached;
    const others = await Promise.all(Array.from({ length: 5 }, () => hangUpLeg(deps, deps.tenantId, legId)));
    for (const other of others) expect(other).toEqual({ retryAfterMs: expect.any(Number) });
    expect(await countRequestsFor(callId)).toBe(0);
    first.open();
    await attempt;
    expect(await countRequestsFor(callId)).toBe(1);
    await untilLegs(harness, meeting, 'inbound', ['ended']);
    expect(await hangUpLeg(deps, deps.tenantId, legId)).toBe('done');
    expect(await read(legId)).toMatchObject({ hangup_attempts: 1, lease_until: null });
  });

  it.each(['ten_other', null])('is not given to the tenant %s', async (tenantId) => {
    const { legId, callId } = await openEndingSession();
    expect(await hangUpLeg(deps, tenantId, legId)).toBe('done');
    expect(await read(legId)).toMatchObject({ hangup_attempts: 0, lease_until: null, state: 'ending' });
    expect(await countRequestsFor(callId)).toBe(0);
  });

  it('expires after ten seconds when the process died', async () => {
    const { legId, callId, meeting } = await openEndingSession();
    const dead = withHeldHangUps();
    void hangUpLeg(dead.deps, deps.tenantId, legId);
    await dead.reached;
    const leased = await read(legId);
    const until = leased.hangup_attempted_at!.getTime() + 10_000;
    expect(leased.lease_until!.getTime()).toBe(until);
    // The lease is moved into the future, so that a slow machine does not reach its end.
    await passTime(harness, -60);
    await expectRetryAt(legId, until + 60_000);
    await passTime(harness, 3);
    await expectRetryAt(legId, until + 57_000);
    expect(await countRequestsFor(callId)).toBe(0);
    await passTime(harness, 67);
    await hangUpLeg(deps, deps.tenantId, legId);
    expect(await countRequestsFor(callId)).toBe(1);
    await untilLegs(harness, meeting, 'inbound', ['ended']);
    expect((await read(legId)).hangup_attempts).toBe(2);
  });

  it('is kept by the newer attempt when an attempt with an expired lease finishes', async () => {
    const { legId, callId, meeting } = await openEndingSession();
    const [zombie, newer] = [withHeldHangUps(), withHeldHangUps()];
    const late = hangUpLeg(zombie.deps, deps.tenantId, legId);
    await zombie.reached;
    await passTime(harness, 10.5);
    const attempt = hangUpLeg(newer.deps, deps.tenantId, legId);
    await newer.reached;
    const leased = await read(legId);
    expect(leased).toMatchObject({ hangup_attempts: 2, lease_until: expect.any(Date) });
    await harness.emulator.client.setFaults({ switches: { hangupKeepsLegAlive: true } });
    zombie.open();
    await late;
    const after = await read(legId);
    expect(after).toMatchObject({
      hangup_attempts: 2,
      lease_until: leased.lease_until,
      hangup_attempted_at: leased.hangup_attempted_at,
      version: leased.version,
    });
    // The newer attempt still holds the lease, so a third attempt is rejected.
    expect(await hangUpLeg(deps, deps.tenantId, legId)).toEqual({ retryAfterMs: expect.any(Number) });
    expect(await countRequestsFor(callId)).toBe(1);
    await harness.emulator.client.resetFaults();
    newer.open();
    await attempt;
    await untilLegs(harness, meeting, 'inbound', ['ended']);
    expect((await read(legId)).lease_until).toBeNull();
  });

  it('lets a look-up of a call run while the session is locked', async () => {
    const { legId, callId, meeting } = await openEndingSession();
    await harness.emulator.client.setFaults({ switches: { hangupKeepsLegAlive: true } });
    await hangUpLeg(deps, deps.tenantId, legId);
    await passTime(harness, 60);
    const holder = await harness.store.pool.connect();
    try {
      await holder.query('BEGIN; SET LOCAL idle_in_transaction_session_timeout = 0');
      expect((await holder.query('SELECT FROM session WHERE id = $1 FOR UPDATE', [meeting.sessionId])).rowCount).toBe(
        1,
      );
      expect(await hangUpLeg(deps, deps.tenantId, legId)).toEqual({ retryAfterMs: expect.any(Number) });
      expect(await countRequestsFor(callId)).toBe(2);
    } finally {
      await holder.query('ROLLBACK');
      holder.release();
    }
  });

  it('ends an attempt whose look-up took longer than the lease', async () => {
    const { legId, callId } = await openEndingSession();
    await harness.emulator.client.setFaults({ switches: { hangupKeepsLegAlive: true } });
    await hangUpLeg(deps, deps.tenantId, legId);
    await passTime(harness, 1);
    let open = (): void => undefined;
    let arrive = (): void => undefined;
    const reached = new Promise<void>((resolve) => (arrive = resolve));
    const opened = new Promise<void>((resolve) => (open = resolve));
    const getCall: VoiceProvider['getCall'] = async (id) => {
      arrive();
      await opened;
      return deps.voice.getCall(id);
    };
    const slow = hangUpLeg(withProviders(deps, { voice: { getCall } }), deps.tenantId, legId);
    await reached;
    await passTime(harness, 10.5);
    const newer = withHeldHangUps();
    const attempt = hangUpLeg(newer.deps, deps.tenantId, legId);
    await newer.reached;
    open();
    await slow;
    expect(await countRequestsFor(callId)).toBe(1);
    newer.open();
    await attempt;
    expect(await countRequestsFor(callId)).toBe(2);
  });

  it('is renewed after a look-up', async () => {
    const { legId, callId } = await openEndingSession();
    await harness.emulator.client.setFaults({ switches: { hangupKeepsLegAlive: true } });
    await hangUpLeg(deps, deps.tenantId, legId);
    await passTime(harness, 1);
    let first = NaN;
    const getCall: VoiceProvider['getCall'] = async (id) => {
      await passTime(harness, 3);
      first = (await read(legId)).lease_until!.getTime();
      return deps.voice.getCall(id);
    };
    const slow = withHeldHangUps();
    const attempt = hangUpLeg(withProviders(slow.deps, { voice: { getCall } }), deps.tenantId, legId);
    await slow.reached;
    // The look-up took three seconds of the lease.
    expect((await read(legId)).lease_until!.getTime() - first).toBeGreaterThanOrEqual(3_000);
    await passTime(harness, -60);
    expect(await hangUpLeg(deps, deps.tenantId, legId)).toEqual({ retryAfterMs: expect.any(Number) });
    slow.open();
    await attempt;
    expect(await countRequestsFor(callId)).toBe(2);
    expect(await read(legId)).toMatchObject({ hangup_attempts: 2, lease_until: null });
  });

  it('does not change a leg that ended before the attempt finished', async () => {
    const { legId, meeting } = await openEndingSession();
    const zombie = withHeldHangUps();
    const late = hangUpLeg(zombie.deps, deps.tenantId, legId);
    await zombie.reached;
    await passTime(harness, 10.5);
    await hangUpLeg(deps, deps.tenantId, legId);
    await untilLegs(harness, meeting, 'inbound', ['ended']);
    const ended = await read(legId);
    zombie.open();
    await late;
    expect(await read(legId)).toMatchObject({
      state: 'ended',
      confirmed_at: ended.confirmed_at,
      outcome: ended.outcome,
      hangup_attempts: 2,
    });
  });
});

describe('an unconfirmed hang-up', () => {
  it('is retried after 1, 2, 4, 8, 15, 15 ... s without end, and each attempt is counted', async () => {
    const { legId, callId, meeting } = await openEndingSession();
    await harness.emulator.client.setFaults({ switches: { hangupKeepsLegAlive: true } });
    const waits: number[] = [];
    for (let ask = 1; ask <= 12; ask++) {
      const done = await hangUpLeg(deps, deps.tenantId, legId);
      const retryAfterMs = done === 'done' ? 0 : done.retryAfterMs;
      waits.push(retryAfterMs);
      expect(await countRequestsFor(callId)).toBe(ask);
      expect((await read(legId)).hangup_attempts).toBe(ask);
      // The back-off is moved into the future, so that a slow machine does not reach its end.
      await passTime(harness, -60);
      await expectRetryAt(legId, (await read(legId)).hangup_attempted_at!.getTime() + retryAfterMs);
      expect(await countRequestsFor(callId)).toBe(ask);
      await passTime(harness, 60 + retryAfterMs / 1_000);
    }
    expect(waits).toEqual([1, 2, 4, 8, 15, 15, 15, 15, 15, 15, 15, 15].map((seconds) => seconds * 1_000));
    // After many attempts the provider hangs up.
    await harness.store.prisma.leg.update({ where: { id: legId }, data: { hangup_attempts: 1_000 } });
    await harness.emulator.client.resetFaults();
    await hangUpLeg(deps, deps.tenantId, legId);
    expect(await countRequestsFor(callId)).toBe(13);
    await untilLegs(harness, meeting, 'inbound', ['ended']);
    expect(await listLegsAtProvider(harness, meeting)).toEqual([]);
  });

  it('is looked up before it is retried, as only the observation may be lost', async () => {
    const { legId, callId } = await openEndingSession();
    await harness.emulator.client.setFaults({ webhooks: [{ fault: 'drop' }] });
    await hangUpLeg(deps, deps.tenantId, legId);
    await passTime(harness, 1);
    expect(await hangUpLeg(deps, deps.tenantId, legId)).toBe('done');
    expect(await countRequestsFor(callId)).toBe(1);
    expect(await read(legId)).toMatchObject({ state: 'ended', hangup_attempts: 2 });
  });
});
