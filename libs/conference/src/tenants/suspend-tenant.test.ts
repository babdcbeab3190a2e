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

const readEnd = async (meeting: Meeting): Promise<unknown> => {
  const { state, end_reason } = await readSession(harness, meeting);
  return [state, end_reason];
};

describe('suspendTenant', () => {
  it('ends all sessions of the tenant, and the hang-up of all legs is confirmed', async () => {
    const meetings = [await startMeeting(harness, deps), await startMeeting(harness, deps), await openRoom(deps)];
    await suspendTenant(deps, deps.tenantId);
    for (const meeting of meetings)
      expect(await readEnd(meeting)).toEqual([expect.stringMatching(/^end/), 'tenant-suspended']);
    await reconcileUntilQuiet(harness, deps);
    for (const meeting of meetings) {
      expect(await listLegsAtProvider(harness, meeting)).toEqual([]);
      expect(await readEnd(meeting)).toEqual(['ended', 'tenant-suspended']);
    }
  });

  it('is completed by the reconciler after a crash before the sessions were ended', async () => {
    const [meeting, waiting] = [await startMeeting(harness, deps), await openRoom(deps)];
    harness.jobsDown = true;
    // Only the first step of suspendTenant.
    await markSuspended(harness.store, deps.tenantId);
    await passTime(harness, 3);
    expect(
      await reconcileAtNow(harness, deps, `UPDATE tenant SET suspended_at = $1::timestamptz - interval '1.9 seconds'`),
    ).toEqual({});
    expect((await readSession(harness, meeting)).state).toBe('live');
    // passTime does not change the tenant's row.
    await harness.store.pool.query(`UPDATE tenant SET suspended_at = suspended_at - interval '3 seconds'`);
    expect(await reconcile(deps)).toMatchObject({ 'end-session': 2 });
    await reconcileUntilQuiet(harness, deps);
    expect(await readEnd(meeting)).toEqual(['ended', 'tenant-suspended']);
    expect(await readEnd(waiting)).toEqual(['ended', 'tenant-suspended']);
    expect(await listLegsAtProvider(harness, meeting)).toEqual([]);
    await passTime(harness, 60);
    expect(await reconcile(deps)).toEqual({});
  });

  it('continues when one session cannot be ended, which the reconciler then ends', async () => {
    const meetings = [await startMeeting(harness, deps), await startMeeting(harness, deps)];
    const warnings: unknown[] = [];
    let transactions = 0;
    const store = breakTransactions(harness.store, () => (transactions += 1) === 1);
    await suspendTenant(
      { ...deps, store, report: { ...deps.report, warn: (_, fields) => warnings.push(fields) } },
      deps.tenantId,
    );
    expect(warnings).toHaveLength(1);
    expect(
      (await Promise.all(meetings.map((meeting) => readSession(harness, meeting)))).filter(
        ({ state }) => state === 'live',
      ),
    ).toHaveLength(1);
    await harness.store.pool.query(`UPDATE tenant SET suspended_at = suspended_at - interval '3 seconds'`);
    await reconcileUntilQuiet(harness, deps);
    for (const meeting of meetings) expect(await listLegsAtProvider(harness, meeting)).toEqual([]);
  });

  it('makes PINs admit no caller and open no session until the tenant is resumed', async () => {
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

  it('does not affect the sessions and callers of another tenant', async () => {
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

  it('prevents the dialling of an earlier dial-out request', async () => {
    const meeting = await openRoom(deps);
    await requestDialOut(deps, meeting.tenantId, meeting.roomId, { phone: '+442079460018' });
    await suspendTenant(deps, deps.tenantId);
    await reconcileUntilQuiet(harness, deps);
    expect((await readLegs(harness, meeting)).map(({ state, dialled_at }) => [state, dialled_at])).toEqual([
      ['ended', null],
    ]);
  });

  it('rejects an unknown tenant', async () => {
    await expect(suspendTenant(deps, 'ten_unknown')).rejects.toMatchObject({ verdict: { reason: 'tenant-not-found' } });
  });
});
