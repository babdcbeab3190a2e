import { closeRoom } from '@partyline/store/rooms';
import { inTransaction } from '@partyline/store/store';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { requestDialOut } from './dial-out.ts';
import { endRoom } from './end-session.ts';
import { issueToken } from './issue-token.ts';
import { joinBrowser, meet, openRoom, readLegs, readSession, upAtVendor } from './testing/meeting.ts';
import { passTime, reconcileUntilQuiet, startOver } from './testing/pass-time.ts';
import { setStage, type Stage, type World } from './testing/stage.ts';

let stage: Stage;
let world: World;
beforeAll(async () => {
  stage = await setStage();
  world = stage.worlds.unified;
});
beforeEach(() => startOver(stage));
afterAll(() => stage.close());

it('a room whose end was cut short by a crash does not leave its session running', async () => {
  const meeting = await meet(stage, world);
  // The first of endRoom's two transactions, and then nothing.
  await inTransaction(stage.store, meeting.tenantId, (tx) => closeRoom(tx, meeting.tenantId, meeting.roomId, 3_600));
  await passTime(stage, 3);
  await reconcileUntilQuiet(stage, world);
  expect(await readSession(stage, meeting)).toMatchObject({ state: 'ended', end_reason: 'ended-by-tenant' });
  expect(await upAtVendor(stage, meeting)).toEqual([]);
  await expect(endRoom(world, meeting.tenantId, meeting.roomId)).rejects.toMatchObject({ verdict: { reason: 'room-ended' } });
});

it('a full room rings nobody and gives no token, and nobody is on its roster for it', async () => {
  const meeting = await openRoom(world, { max_participants: 1 });
  await joinBrowser(stage, meeting);
  const people = await stage.store.prisma.participant.count({ where: { room_id: meeting.roomId } });
  const full = { verdict: { outcome: 'client', reason: 'room-full' } };
  await expect(requestDialOut(world, meeting.tenantId, meeting.roomId, { phone: '+442079460018' })).rejects.toMatchObject(full);
  await expect(issueToken(world, meeting.tenantId, meeting.roomId, { name: 'Grace' })).rejects.toMatchObject(full);
  expect(await stage.store.prisma.participant.count({ where: { room_id: meeting.roomId } })).toBe(people);
  expect(await readLegs(stage, meeting)).toHaveLength(1);
});
