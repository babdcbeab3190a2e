import { resumeTenant, suspendTenant as markSuspended } from '@partyline/store/tenants/tenants';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { requestDialOut } from '../legs/dial-out.ts';
import { reconcile } from '../reconciliation/reconcile.ts';
import { suspendTenant } from './suspend-tenant.ts';
import { breakTransactions } from '../testing/broken-store.ts';
import {
  callIn,
  meet,
  openRoom,
  readLegs,
  readSession,
  ringIn,
  until,
  upAtVendor,
  type Meeting,
} from '../testing/meeting.ts';
import { passTime, reconcileUntilQuiet, reconcileWhen, startOver } from '../testing/pass-time.ts';
import { setStage, type Stage, type World } from '../testing/test-harness.ts';

let stage: Stage;
let world: World;
beforeAll(async () => {
  stage = await setStage();
  world = stage.worlds.unified;
});
beforeEach(() => startOver(stage));
afterAll(() => stage.close());

const reasonOf = async (meeting: Meeting): Promise<unknown> => {
  const { state, end_reason } = await readSession(stage, meeting);
  return [state, end_reason];
};

describe('suspending a tenant', () => {
  it('ends every session of it, and every leg is hung up and confirmed', async () => {
    const meetings = [await meet(stage, world), await meet(stage, world), await openRoom(world)];
    await suspendTenant(world, world.tenantId);
    for (const meeting of meetings)
      expect(await reasonOf(meeting)).toEqual([expect.stringMatching(/^end/), 'tenant-suspended']);
    await reconcileUntilQuiet(stage, world);
    for (const meeting of meetings) {
      expect(await upAtVendor(stage, meeting)).toEqual([]);
      expect(await reasonOf(meeting)).toEqual(['ended', 'tenant-suspended']);
    }
  });

  it('that died between its commit and the end of the sessions is made good by the reconciler', async () => {
    const [meeting, waiting] = [await meet(stage, world), await openRoom(world)];
    stage.jobsDown = true;
    // The first thing that suspending does, and then nothing.
    await markSuspended(stage.store, world.tenantId);
    await passTime(stage, 3);
    expect(
      await reconcileWhen(stage, world, `UPDATE tenant SET suspended_at = $1::timestamptz - interval '1.9 seconds'`),
    ).toEqual({});
    expect((await readSession(stage, meeting)).state).toBe('live');
    // The tenant's row is not moved back with the others'.
    await stage.store.pool.query(`UPDATE tenant SET suspended_at = suspended_at - interval '3 seconds'`);
    expect(await reconcile(world)).toMatchObject({ 'end-session': 2 });
    await reconcileUntilQuiet(stage, world);
    expect(await reasonOf(meeting)).toEqual(['ended', 'tenant-suspended']);
    expect(await reasonOf(waiting)).toEqual(['ended', 'tenant-suspended']);
    expect(await upAtVendor(stage, meeting)).toEqual([]);
    await passTime(stage, 60);
    expect(await reconcile(world)).toEqual({});
  });

  it('goes on when one session cannot be ended: that one is the reconciler’s', async () => {
    const meetings = [await meet(stage, world), await meet(stage, world)];
    const warned: unknown[] = [];
    let transactions = 0;
    const store = breakTransactions(stage.store, () => (transactions += 1) === 1);
    await suspendTenant(
      { ...world, store, report: { ...world.report, warn: (_, fields) => warned.push(fields) } },
      world.tenantId,
    );
    expect(warned).toHaveLength(1);
    expect(
      (await Promise.all(meetings.map((meeting) => readSession(stage, meeting)))).filter(
        ({ state }) => state === 'live',
      ),
    ).toHaveLength(1);
    await stage.store.pool.query(`UPDATE tenant SET suspended_at = suspended_at - interval '3 seconds'`);
    await reconcileUntilQuiet(stage, world);
    for (const meeting of meetings) expect(await upAtVendor(stage, meeting)).toEqual([]);
  });

  it('lets nobody in by a PIN, neither into a session nor into a new one, and does so again when it goes on', async () => {
    const meeting = await openRoom(world);
    await suspendTenant(world, world.tenantId);
    const person = await ringIn(stage);
    await stage.emulator.client.key(person.id, `${meeting.pin}#`);
    await until(
      async () =>
        (await stage.store.prisma.leg.findUniqueOrThrow({ where: { voice_call_id: person.callId } })).last_outcome,
      'wrong-pin',
    );
    expect(await stage.store.prisma.session.count({ where: { room_id: meeting.roomId } })).toBe(1);
    expect(await readLegs(stage, meeting)).toEqual([]);

    await resumeTenant(stage.store, world.tenantId);
    const { rows } = await stage.store.pool.query<{ n: number }>('SELECT count(*)::int AS n FROM session');
    expect(rows[0]?.n).toBe(1);
    const caller = await ringIn(stage);
    await stage.emulator.client.key(caller.id, `${meeting.pin}#`);
    await stage.emulator.client.awaitJoined(caller.id);
    expect(
      await stage.store.prisma.session.count({ where: { room_id: meeting.roomId, state: { in: ['open', 'live'] } } }),
    ).toBe(1);
  });

  it('does not touch another tenant, whose callers come and go', async () => {
    await stage.store.prisma.tenant.create({ data: { id: 'ten_other', name: 'Other' } });
    const other: World = { ...world, tenantId: 'ten_other' };
    const meeting = await meet(stage, other);
    await suspendTenant(world, world.tenantId);
    await passTime(stage, 3);
    await stage.store.pool.query(`UPDATE tenant SET suspended_at = suspended_at - interval '3 seconds'`);
    expect(await reconcile(world)).toEqual({});
    await callIn(stage, other, meeting);
    expect((await readSession(stage, meeting)).state).toBe('live');
  });

  it('keeps what was asked for just before from being dialled', async () => {
    const meeting = await openRoom(world);
    await requestDialOut(world, meeting.tenantId, meeting.roomId, { phone: '+442079460018' });
    await suspendTenant(world, world.tenantId);
    await reconcileUntilQuiet(stage, world);
    expect((await readLegs(stage, meeting)).map(({ state, dialled_at }) => [state, dialled_at])).toEqual([
      ['ended', null],
    ]);
  });

  it('of an id that there is not is refused', async () => {
    await expect(suspendTenant(world, 'ten_nobody')).rejects.toMatchObject({ verdict: { reason: 'tenant-not-found' } });
  });
});
