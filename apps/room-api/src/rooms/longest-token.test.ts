import { CreateRoom } from '@partyline/contracts/rooms/room';
import { LONGEST_TOKEN_S } from '@partyline/store/reconciliation/inventory';
import { expect, it } from 'vitest';

it('no room can have longer sessions than the inventory looks back for the tokens of', () => {
  const allowed = (maxDurationSeconds: number): boolean =>
    CreateRoom.safeParse({ name: 'Room', maxDurationSeconds }).success;
  expect([allowed(LONGEST_TOKEN_S), allowed(LONGEST_TOKEN_S + 1)]).toEqual([true, false]);
});
