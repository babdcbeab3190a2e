import { PIN_HEAD_LENGTH } from '@partyline/domain/pin';
import { listPinsToRewrap, replaceEncryptedPin } from '@partyline/store/pins/pins';
import type { Store } from '@partyline/store/database/store';
import type { Rewrapped } from '../crypto/rewrapped.ts';
import { openPinVault } from './pin-vault.ts';

const BATCH_SIZE = 500;

/**
 * Writes with the first PIN key every PIN that another one has written, so that the others can be
 * removed. Callers are admitted meanwhile. It may be repeated or interrupted at any point.
 */
export async function rewrapPins(store: Store, keys: readonly Buffer[]): Promise<Rewrapped> {
  const vault = openPinVault(keys);
  const counts = { rewrapped: 0, unreadable: 0 };
  for (let after = ''; ;) {
    const batch = await listPinsToRewrap(store, { after, limit: BATCH_SIZE });
    for (const { id, tenantId, ...before } of batch) {
      after = id;
      let pin: string;
      try {
        pin = vault.decrypt(before.ciphertext, id);
      } catch {
        counts.unreadable += 1;
        continue;
      }
      const [lookup] = vault.lookups(pin);
      if (lookup.equals(before.lookup)) continue;
      const [head] = vault.lookups(pin.slice(0, PIN_HEAD_LENGTH));
      const written = { lookup, head, ciphertext: vault.encrypt(pin, id) };
      if (await replaceEncryptedPin(store, tenantId, { id, before, after: written })) counts.rewrapped += 1;
    }
    if (batch.length < BATCH_SIZE) return counts;
  }
}
