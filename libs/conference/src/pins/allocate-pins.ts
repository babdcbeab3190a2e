import { drawPin, choosePinLength, PIN_HEAD_LENGTH, PIN_MAX_LENGTH } from '@partyline/domain/pin';
import type { RandomInt } from '@partyline/domain/clock';
import { claimPin, countPins } from '@partyline/store/pins/pins';
import type { Role } from '@partyline/store/legs/legs';
import type { Tx } from '@partyline/store/database/store';
import type { Deps } from '../deps.ts';
import type { PinVault } from './pin-vault.ts';

/** The dependencies of PIN allocation. */
export type PinDeps = Pick<Deps, 'ids'> & { readonly pins: PinVault; readonly random: RandomInt };

/**
 * Draws before a longer PIN is tried, up to the longest. With half of all PINs of a length in use,
 * 12 misses in a row have odds of 1 in 4096.
 */
const MAX_DRAWS_PER_LENGTH = 12;

/**
 * Allocates one free PIN of a number for each of `owners`, in their order. The length of the PINs
 * follows from the number of PINs in use (domain/pin.ts). No PIN is the beginning of another on the
 * number.
 */
export async function allocatePins(
  deps: PinDeps,
  tx: Tx,
  tenantId: string,
  at: { roomId: string; number: string },
  owners: readonly { role: Role; participantId?: string }[],
): Promise<{ id: string; pin: string }[]> {
  let length = choosePinLength((await countPins(tx, at.number)) + owners.length - 1);
  const allocated: { id: string; pin: string }[] = [];
  let misses = 0;
  for (const owner of owners) {
    const id = deps.ids.next('pin');
    for (;;) {
      const pin = drawPin(length, deps.random);
      if (
        await claimPin(tx, tenantId, {
          id,
          ...at,
          ...owner,
          lookups: deps.pins.lookups(pin),
          heads: deps.pins.lookups(pin.slice(0, PIN_HEAD_LENGTH)),
          ciphertext: deps.pins.encrypt(pin, id),
          digits: pin.length,
        })
      ) {
        allocated.push({ id, pin });
        break;
      }
      misses += 1;
      if (misses % MAX_DRAWS_PER_LENGTH === 0) length = Math.min(length + 1, PIN_MAX_LENGTH);
    }
  }
  return allocated;
}
