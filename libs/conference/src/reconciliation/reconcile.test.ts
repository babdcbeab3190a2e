import { ProviderError } from '@partyline/provider-contract/provider-error';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { requestDialOut } from '../legs/dial-out.ts';
import { endSession } from '../sessions/end-session.ts';
import { reconcile } from './reconcile.ts';
import { breakTransactions } from '../testing/break-transactions.ts';
import {
  joinByPhone,
  joinBrowser,
  startMeeting,
  openRoom,
  readLegs,
  readSession,
  dialIn,
  until,
  untilLegs,
  listLegsAtProvider,
  type Meeting,
} from '../testing/meeting.ts';
import {
  countHangUpRequests,
  passTime,
  reconcileUntilQuiet,
  reconcileAtNow,
  resetHarness,
} from '../testing/pass-time.ts';
import { startTestHarness, type TestHarness, type TestDeps } from '../testing/test-harness.ts';
import { withProviders } from '../testing/with-providers.ts';

let harness: TestHarness;
let deps: TestDeps;
/** Redis breaks after a call was accepted and before its job is sent. */
let withLostJobs: TestDeps;
beforeAll(async () => {
  harness = await startTestHarness();
  deps = harness.deps.unified;
  withLostJobs = { ...deps, jobs: { ...deps.jobs, assertReachable: async () => undefined } };
});
beforeEach(() => resetHarness(harness));
afterAll(() => harness.close());

const end = (meeting: Meeting) => endSession(deps, meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
const requests = async (route: string): Promise<number> => (await harness.emulator.client.restLog({ route })).length;

describe('reconcile, without Redis', () => {
  it('settles a session whose legs changed: it goes live and its clocks start', async () => {
    const meeting = await openRoom(deps, { alone_s: 300 });
    await harness.emulator.client.setFaults({
      webhooks: [
        { kind: 'event', fault: 'drop' },
        { kind: 'transfer', fault: 'drop' },
      ],
    });
    harness.jobsDown = true;
    const person = await dialIn(harness);
    await harness.emulator.client.key(person.id, `${meeting.pin}#`);
    await harness.emulator.client.awaitJoined(person.id);
    await until(async () => (await readLegs(harness, meeting)).length, 1);
    expect(
      await reconcileAtNow(
        harness,
        deps,
        `UPDATE session SET settle_due_at = $1::timestamptz - interval '1.9 seconds'`,
      ),
    ).toEqual({});
    expect((await readSession(harness, meeting)).state).toBe('open');
    await passTime(harness, 3);
    expect(await reconcile(deps)).toEqual({ 'settle-session': 1 });
    expect(await readSession(harness, meeting)).toMatchObject({
      state: 'live',
      settle_due_at: null,
      due_reason: 'alone',
    });
    expect(await reconcile(deps)).toEqual({});
  });

  it('ends a session after its deadline, and confirms the hang-up of all legs', async () => {
    const meeting = await startMeeting(harness, deps);
    const other = await openRoom(deps, { max_duration_s: 36_000 });
    await joinBrowser(harness, other);
    harness.jobsDown = true;
    await passTime(harness, 3_540);
    await reconcile(deps);
    expect((await readSession(harness, meeting)).state).toBe('live');
    await passTime(harness, 63);
    expect(await reconcile(deps)).toMatchObject({ 'hang-up-session': 1 });
    await reconcileUntilQuiet(harness, deps);
    expect(await readSession(harness, meeting)).toMatchObject({ state: 'ended', end_reason: 'max-duration' });
    expect(await listLegsAtProvider(harness, meeting)).toEqual([]);
    expect(await listLegsAtProvider(harness, other)).toEqual(['webrtc']);
    expect((await readSession(harness, other)).state).toBe('live');
  });

  it.each(['opentok', 'unified'] as const)(
    'confirms the hang-ups of an ending %s session without webhooks',
    async (kind) => {
      const meeting = await startMeeting(harness, harness.deps[kind]);
      await harness.emulator.client.setFaults({ webhooks: [{ fault: 'drop' }] });
      harness.jobsDown = true;
      await endSession(harness.deps[kind], meeting.tenantId, meeting.sessionId, 'ended-by-tenant');
      await reconcileUntilQuiet(harness, harness.deps[kind]);
      expect((await readLegs(harness, meeting)).map((leg) => [leg.state, leg.confirmed_at !== null])).toEqual(
        Array.from({ length: 3 }, () => ['ended', true]),
      );
      expect((await readSession(harness, meeting)).state).toBe('ended');
      expect(await listLegsAtProvider(harness, meeting)).toEqual([]);
    },
  );

  it('hangs up a caller who was never admitted after the deadline, and not before', async () => {
    const person = await dialIn(harness);
    harness.jobsDown = true;
    await passTime(harness, 3);
    expect(await reconcile(deps)).toEqual({});
    expect((await harness.emulator.client.ledger({ callId: person.callId })).up).toBe(1);
    await passTime(harness, 60);
    expect(await reconcile(deps)).toEqual({});
    await passTime(harness, 20);
    expect(await reconcile(deps)).toEqual({ 'hang-up-leg': 1 });
    await harness.emulator.client.awaitEnded(person.id);
    await until(
      async () => (await harness.store.prisma.leg.findUniqueOrThrow({ where: { voice_call_id: person.callId } })).state,
      'ended',
    );
  });

  it("hangs up a tenant's session although hundreds of another tenant's hang-ups are due and get no answer", async () => {
    const meeting = await startMeeting(harness, deps);
    await harness.store.prisma.tenant.create({ data: { id: 'ten_forger', name: 'Forger' } });
    const forger = await openRoom({ ...deps, tenantId: 'ten_forger' });
    await harness.store.pool.query(
      `INSERT INTO leg (
         id, tenant_id, session_id, kind, state, media_connection_id, hangup_requested_at, hangup_reason, deadline_at
       )
       SELECT 'leg_' || n, $1, $2, 'webrtc', 'ending', 'con_' || n, now() - interval '1 hour', 'room-full', now()
       FROM generate_series(1, 200) AS n`,
      [forger.tenantId, forger.sessionId],
    );
    harness.jobsDown = true;
    await end(meeting);
    await passTime(harness, 3);

    let answer = (): void => undefined;
    const answered = new Promise<void>((resolve) => (answer = resolve));
    const slow = withProviders(deps, {
      media: {
        disconnect: async (connection) => {
          if (connection.mediaSessionId === forger.mediaSessionId) await answered;
          else await deps.media.disconnect(connection);
        },
      },
    });
    const round = reconcile(slow);
    await until(() => listLegsAtProvider(harness, meeting), []);
    answer();
    expect(await round).toMatchObject({ 'hang-up-session': 1 });
  });

  it('dials nothing while no hang-up can be armed, and dials each call once when Redis is back', async () => {
    const phone = '+447946000777';
    await harness.emulator.client.setPhone(phone, { mode: 'answer' });
    const meeting = await openRoom(deps);
    harness.jobsDown = true;
    await joinBrowser(harness, meeting);
    await joinByPhone(harness, deps, meeting);
    await requestDialOut(withLostJobs, meeting.tenantId, meeting.roomId, { phone });
    await passTime(harness, 3);
    for (let round = 0; round < 3; round++) expect(await reconcile(deps)).toEqual({ 'open-bridge': 1, 'dial-out': 1 });
    expect([await requests('dial'), await requests('create-call')]).toEqual([0, 0]);
    expect((await readLegs(harness, meeting, 'outbound')).map((leg) => leg.state)).toEqual(['requested']);
    harness.jobsDown = false;
    expect(await reconcile(deps)).toEqual({ 'open-bridge': 1, 'dial-out': 1 });
    await untilLegs(harness, meeting, 'bridge', ['joined']);
    await untilLegs(harness, meeting, 'outbound', ['joined']);
    await passTime(harness, 3);
    expect(await reconcile(deps)).toEqual({});
    expect([await requests('dial'), await requests('create-call')]).toEqual([1, 1]);
  });
});

describe('reconcile, when an item fails', () => {
  it('processes the other items after an exception and a lost reply', async () => {
    const [broken, silent, sound] = [
      await startMeeting(harness, deps),
      await startMeeting(harness, deps),
      await startMeeting(harness, deps),
    ];
    harness.jobsDown = true;
    for (const meeting of [broken, silent, sound]) await end(meeting);
    const voice = {
      hangUp: (callId: string) =>
        callId === broken.caller.callId ? Promise.reject(new TypeError('not a function')) : deps.voice.hangUp(callId),
    };
    const media = {
      disconnect: (of: { mediaSessionId: string; connectionId: string }) =>
        of.mediaSessionId === silent.mediaSessionId
          ? new Promise<never>((_, reject) =>
              setImmediate(() => reject(new ProviderError('unknown', 'upstream-timeout', 'no reply'))),
            )
          : deps.media.disconnect(of),
    };
    await passTime(harness, 3);
    expect(await reconcile(withProviders(deps, { voice, media }))).toEqual({ 'hang-up-session': 3 });
    await untilLegs(harness, sound, 'inbound', ['ended']);
    expect(await listLegsAtProvider(harness, sound)).toEqual([]);
    // The other legs of the same sessions are hung up.
    expect(await listLegsAtProvider(harness, broken)).toEqual(['voice-inbound']);
    expect((await harness.emulator.client.caller(silent.caller.id)).state).toBe('ended');
    await reconcileUntilQuiet(harness, deps);
    for (const meeting of [broken, silent, sound]) expect((await readSession(harness, meeting)).state).toBe('ended');
  });

  it('logs the item and retries it in the next round', async () => {
    const meeting = await startMeeting(harness, deps);
    harness.jobsDown = true;
    await end(meeting);
    const warnings: unknown[] = [];
    const store = breakTransactions(harness.store, () => true);
    await passTime(harness, 3);
    expect(
      await reconcile({ ...deps, store, report: { ...deps.report, warn: (_, fields) => warnings.push(fields) } }),
    ).toEqual({ 'hang-up-session': 1 });
    expect(warnings).toEqual([
      {
        what: 'hang-up-session',
        tenantId: meeting.tenantId,
        id: meeting.sessionId,
        error: 'Error: Postgres is unreachable',
      },
    ]);
    expect(await countHangUpRequests(harness)).toEqual({});
    await reconcileUntilQuiet(harness, deps);
    expect(await listLegsAtProvider(harness, meeting)).toEqual([]);
  });
});

describe('reconcile, in four replicas', () => {
  it('makes one hang-up attempt at a time for each leg', async () => {
    const meetings = [
      await startMeeting(harness, deps),
      await startMeeting(harness, deps),
      await startMeeting(harness, deps),
    ];
    harness.jobsDown = true;
    for (const meeting of meetings) await end(meeting);
    await passTime(harness, 3);
    await Promise.all(Array.from({ length: 4 }, () => reconcile(deps)));
    const legs = (await Promise.all(meetings.map((meeting) => readLegs(harness, meeting)))).flat();
    const requestCounts = await countHangUpRequests(harness);
    let handles = 0;
    for (const { id, voice_call_id, media_connection_id } of legs) {
      // A replica that takes longer than the back-off may find the leg due again.
      const attempts = await harness.store.prisma.hang_up_attempt.findMany({
        where: { leg_id: id },
        orderBy: { no: 'asc' },
      });
      const times = attempts.map(({ at }) => at.getTime());
      const intervals = times.slice(1).map((at, index) => at - (times[index] ?? at));
      for (const interval of intervals) expect(interval).toBeGreaterThanOrEqual(1_000);
      for (const handle of [voice_call_id, media_connection_id]) {
        if (handle === null) continue;
        handles += 1;
        expect(requestCounts[handle]).toBeGreaterThanOrEqual(1);
        expect(requestCounts[handle]).toBeLessThanOrEqual(attempts.length);
      }
    }
    expect([handles, Object.keys(requestCounts).length]).toEqual([12, 12]);
    await reconcileUntilQuiet(harness, deps);
    for (const meeting of meetings) expect(await listLegsAtProvider(harness, meeting)).toEqual([]);
    // Confirmed legs are not requested again.
    const before = await countHangUpRequests(harness);
    await passTime(harness, 60);
    await reconcile(deps);
    expect(await countHangUpRequests(harness)).toEqual(before);
  });

  it('dials each call once', async () => {
    const meeting = await openRoom(deps);
    harness.jobsDown = true;
    await joinBrowser(harness, meeting);
    await joinByPhone(harness, deps, meeting);
    await requestDialOut(withLostJobs, meeting.tenantId, meeting.roomId, { phone: '+447946000778' });
    harness.jobsDown = false;
    await passTime(harness, 3);
    await Promise.all(Array.from({ length: 4 }, () => reconcile(deps)));
    await untilLegs(harness, meeting, 'bridge', ['joined']);
    expect([await requests('dial'), await requests('create-call')]).toEqual([1, 1]);
  });
});
