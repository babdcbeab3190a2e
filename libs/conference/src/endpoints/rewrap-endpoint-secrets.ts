import { listEndpointSecretsToRewrap, replaceEndpointSecrets } from '@partyline/store/endpoints/endpoints';
import type { Store } from '@partyline/store/database/store';
import type { Rewrapped } from '../crypto/rewrapped.ts';
import { openEndpointSecrets } from './endpoint-secrets.ts';

const BATCH_SIZE = 500;

/**
 * Encrypts with the first PIN key every endpoint secret that another one has encrypted. It may be
 * repeated or interrupted at any point.
 */
export async function rewrapEndpointSecrets(store: Store, keys: readonly Buffer[]): Promise<Rewrapped> {
  const [ring, current] = [openEndpointSecrets(keys), openEndpointSecrets(keys.slice(0, 1))];
  const counts = { rewrapped: 0, unreadable: 0 };
  for (let after = ''; ;) {
    const batch = await listEndpointSecretsToRewrap(store, { after, limit: BATCH_SIZE });
    for (const { id, tenantId, ...before } of batch) {
      after = id;
      const rewrap = (ciphertext: Uint8Array): Uint8Array => {
        try {
          current.decrypt(ciphertext, id);
          return ciphertext;
        } catch {
          return current.encrypt(ring.decrypt(ciphertext, id), id);
        }
      };
      let written: typeof before;
      try {
        written = {
          secret: rewrap(before.secret),
          oldSecret: before.oldSecret === null ? null : rewrap(before.oldSecret),
        };
      } catch {
        counts.unreadable += 1;
        continue;
      }
      if (written.secret === before.secret && written.oldSecret === before.oldSecret) continue;
      if (await replaceEndpointSecrets(store, tenantId, { id, before, after: written })) counts.rewrapped += 1;
    }
    if (batch.length < BATCH_SIZE) return counts;
  }
}
