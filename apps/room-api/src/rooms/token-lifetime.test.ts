import { CreateRoom } from '@partyline/contracts/rooms/room';
import { MAX_TOKEN_LIFETIME_SECONDS } from '@partyline/store/reconciliation/inventory';
import { expect, it } from 'vitest';

it('no room can have longer sessions than the inventory looks back for the tokens of', () => {
  const allowed = (maxDurationSeconds: number): boolean =>
    CreateRoom.safeParse({ name: 'Room', maxDurationSeconds }).success;
  expect([allowed(MAX_TOKEN_LIFETIME_SECONDS), allowed(MAX_TOKEN_LIFETIME_SECONDS + 1)]).toEqual([true, false]);
});
