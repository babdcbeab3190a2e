import { CreateRoom } from '@partyline/contracts/rooms/room';
import { MAX_TOKEN_LIFETIME_SECONDS } from '@partyline/store/reconciliation/inventory';
import { expect, it } from 'vitest';

// The sweep considers tokens of at most this lifetime; a longer session would escape it.
it('rejects a maxDurationSeconds above MAX_TOKEN_LIFETIME_SECONDS', () => {
  const allowed = (maxDurationSeconds: number): boolean =>
    CreateRoom.safeParse({ name: 'Room', maxDurationSeconds }).success;
  expect([allowed(MAX_TOKEN_LIFETIME_SECONDS), allowed(MAX_TOKEN_LIFETIME_SECONDS + 1)]).toEqual([true, false]);
});
