import { resumeTenant, suspendTenant as markSuspended } from '@partyline/store/tenants/tenants';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { requestDialOut } from '../legs/dial-out.ts';
import { reconcile } from '../reconciliation/reconcile.ts';
import { suspendTenant } from './suspend-tenant.ts';
import { breakTransactions } from '../testing/break-transactions.ts';
import {
  joinByPhone,
  startMeeting,
  openRoom,
  readLegs,
  readSession,
  dialIn,
  until,
  listLegsAtProvider,
  type Meeting,
} from '../testing/meeting.ts';
import { passTime, reconcileUntilQuiet, reconcileAtNow, resetHarness } from '../testing/pass-time.ts';
import { startTestHarness, type TestHarness, type TestDeps } from '../testing/test-harness.ts';

let harness: TestHarness;
let deps: TestDeps;
beforeAll(async () => {
  harness = await startTestHarness();
  deps = harness.deps.unified;
});
beforeEach(() => resetHarness(harness));
afterAll(() => harness.close());

const reasonOf = async (meeting: Meeting): Promise<unknown> => {
  const { state, end_reason } = await readSession(harness, meeting);
  return [state, end_reason];
};

describe('suspending a tenant', () => {
  it('ends every session of it, and every leg is hung up and confirmed', async () => {
    const meetings = [await startMeeting(harness, deps), await startMeeting(harness, deps), await openRoom(deps)];
    await suspendTenant(deps, deps.tenantId);
    for (const meeting of meetings)
      expect(await reasonOf(meeting)).toEqual([expect.stringMatching(/^end/), 'tenant-suspended']);
    await reconcileUntilQuiet(harness, deps);
    for (const meeting of meetings) {
      expect(await listLegsAtProvider(harness, meeting)).toEqual([]);
      expect(await reasonOf(meeting)).toEqual(['ended', 'tenant-suspended']);
    }
  });

  it('that died between its commit and the end of the sessions is made good by the reconciler', async () => {
    const [meeting, waiting] = [await startMeeting(harness, deps), await openRoom(deps)];
    harness.jobsDown = true;
    // The first thing that suspending does, and then nothing.
    await markSuspended(harness.store, deps.tenantId);
    await passTime(harness, 3);
    expect(
      await reconcileAtNow(harness, deps, `UPDATE tenant SET suspended_at = $1::timestamptz - interval '1.9 seconds'`),
    ).toEqual({});
    expect((await readSession(harness, meeting)).state).toBe('live');
    // The tenant's row is not moved back with the others'.
    await harness.store.pool.query(`UPDATE tenant SET suspended_at = suspended_at - interval '3 seconds'`);
    expect(await reconcile(deps)).toMatchObject({ 'end-session': 2 });
    await reconcileUntilQuiet(harness, deps);
    expect(await reasonOf(meeting)).toEqual(['ended', 'tenant-suspended']);
    expect(await reasonOf(waiting)).toEqual(['ended', 'tenant-suspended']);
    expect(await listLegsAtProvider(harness, meeting)).toEqual([]);
    await passTime(harness, 60);
    expect(await reconcile(deps)).toEqual({});
  });

  it('goes on when one session cannot be ended: that one is the reconciler’s', async () => {
    const meetings = [await startMeeting(harness, deps), await startMeeting(harness, deps)];
    const warned: unknown[] = [];
    let transactions = 0;
    const store = breakTransactions(harness.store, () => (transactions += 1) === 1);
    await suspendTenant(
      { ...deps, store, report: { ...deps.report, warn: (_, fields) => warned.push(fields) } },
      deps.tenantId,
    );
    expect(warned).toHaveLength(1);
    expect(
      (await Promise.all(meetings.map((meeting) => readSession(harness, meeting)))).filter(
        ({ state }) => state === 'live',
      ),
    ).toHaveLength(1);
    await harness.store.pool.query(`UPDATE tenant SET suspended_at = suspended_at - interval '3 seconds'`);
    await reconcileUntilQuiet(harness, deps);
    for (const meeting of meetings) expect(await listLegsAtProvider(harness, meeting)).toEqual([]);
  });

  it('lets nobody in by a PIN, neither into a session nor into a new one, and does so again when it goes on', async () => {
    const meeting = await openRoom(deps);
    await suspendTenant(deps, deps.tenantId);
    const person = await dialIn(harness);
    await harness.emulator.client.key(person.id, `${meeting.pin}#`);
    await until(
      async () =>
        (await harness.store.prisma.leg.findUniqueOrThrow({ where: { voice_call_id: person.callId } })).last_outcome,
      'wrong-pin',
    );
    expect(await harness.store.prisma.session.count({ where: { room_id: meeting.roomId } })).toBe(1);
    expect(await readLegs(harness, meeting)).toEqual([]);

    await resumeTenant(harness.store, deps.tenantId);
    const { rows } = await harness.store.pool.query<{ n: number }>('SELECT count(*)::int AS n FROM session');
    expect(rows[0]?.n).toBe(1);
    const caller = await dialIn(harness);
    await harness.emulator.client.key(caller.id, `${meeting.pin}#`);
    await harness.emulator.client.awaitJoined(caller.id);
    expect(
      await harness.store.prisma.session.count({ where: { room_id: meeting.roomId, state: { in: ['open', 'live'] } } }),
    ).toBe(1);
  });

  it('does not touch another tenant, whose callers come and go', async () => {
    await harness.store.prisma.tenant.create({ data: { id: 'ten_other', name: 'Other' } });
    const other: TestDeps = { ...deps, tenantId: 'ten_other' };
    const meeting = await startMeeting(harness, other);
    await suspendTenant(deps, deps.tenantId);
    await passTime(harness, 3);
    await harness.store.pool.query(`UPDATE tenant SET suspended_at = suspended_at - interval '3 seconds'`);
    expect(await reconcile(deps)).toEqual({});
    await joinByPhone(harness, other, meeting);
    expect((await readSession(harness, meeting)).state).toBe('live');
  });

  it('keeps what was asked for just before from being dialled', async () => {
    const meeting = await openRoom(deps);
    await requestDialOut(deps, meeting.tenantId, meeting.roomId, { phone: '+442079460018' });
    await suspendTenant(deps, deps.tenantId);
    await reconcileUntilQuiet(harness, deps);
    expect((await readLegs(harness, meeting)).map(({ state, dialled_at }) => [state, dialled_at])).toEqual([
      ['ended', null],
    ]);
  });

  it('of an id that there is not is refused', async () => {
    await expect(suspendTenant(deps, 'ten_nobody')).rejects.toMatchObject({ verdict: { reason: 'tenant-not-found' } });
  });
});
