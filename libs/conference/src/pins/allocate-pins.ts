import { drawPin, choosePinLength } from '@partyline/domain/pin';
import type { RandomInt } from '@partyline/domain/clock';
import { claimPin, countPins } from '@partyline/store/pins/pins';
import type { Role } from '@partyline/store/legs/legs';
import type { Tx } from '@partyline/store/database/store';
import type { Deps } from '../deps.ts';
import type { PinVault } from './pin-vault.ts';

/** What drawing a PIN takes. */
export type PinDeps = Pick<Deps, 'ids'> & { readonly pins: PinVault; readonly random: RandomInt };

/** Draws before another digit is tried; at a full half of all PINs of a length, twelve misses are one in four thousand. */
const MAX_DRAWS_PER_LENGTH = 12;

/**
 * Draws PINs until one is free on the number, and takes it for a room: one for each of `people`, in their order. Long enough for as many as the number then
 * holds (domain/pin.ts).
 */
export async function allocatePins(
  deps: PinDeps,
  tx: Tx,
  tenantId: string,
  at: { roomId: string; number: string },
  people: readonly { role: Role; participantId?: string }[],
): Promise<{ id: string; pin: string }[]> {
  let length = choosePinLength((await countPins(tx, at.number)) + people.length - 1);
  const taken: { id: string; pin: string }[] = [];
  let misses = 0;
  for (const person of people) {
    const id = deps.ids.next('pin');
    for (;;) {
      const pin = drawPin(length, deps.random);
      if (
        await claimPin(tx, tenantId, {
          id,
          ...at,
          ...person,
          lookup: deps.pins.lookup(pin),
          sealed: deps.pins.encrypt(pin, id),
          digits: pin.length,
        })
      ) {
        taken.push({ id, pin });
        break;
      }
      misses += 1;
      if (misses % MAX_DRAWS_PER_LENGTH === 0) length += 1;
    }
  }
  return taken;
}
