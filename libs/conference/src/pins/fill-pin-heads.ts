import { PIN_HEAD_LENGTH } from '@partyline/domain/pin';
import { fillPinHead, listPinsWithoutHead } from '@partyline/store/pins/pins';
import type { Store } from '@partyline/store/database/store';
import type { PinVault } from './pin-vault.ts';

const BATCH_SIZE = 500;

/**
 * Stores the look-up of the first six digits of PINs from versions that had none. Until then a PIN
 * that begins with such a PIN could be allocated. It may be repeated or interrupted at any point.
 */
export async function fillPinHeads({ store, pins }: { readonly store: Store; readonly pins: PinVault }): Promise<{
  readonly filled: number;
  /** PINs that none of the keys has written. */
  readonly unreadable: number;
}> {
  const counts = { filled: 0, unreadable: 0 };
  for (let after = ''; ;) {
    const batch = await listPinsWithoutHead(store, { after, limit: BATCH_SIZE });
    for (const { id, tenantId, ciphertext } of batch) {
      after = id;
      let pin: string;
      try {
        pin = pins.decrypt(ciphertext, id);
      } catch {
        counts.unreadable += 1;
        continue;
      }
      const [head] = pins.lookups(pin.slice(0, PIN_HEAD_LENGTH));
      if (await fillPinHead(store, tenantId, { id, head, digits: pin.length })) counts.filled += 1;
    }
    if (batch.length < BATCH_SIZE) return counts;
  }
}
