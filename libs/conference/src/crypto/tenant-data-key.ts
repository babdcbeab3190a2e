import { randomBytes } from 'node:crypto';
import type { Store } from '@partyline/store/database/store';
import { ensureDataKey } from '@partyline/store/provider-accounts/data-keys';
import type { KeyService } from './key-service.ts';

const DATA_KEY_BYTES = 32;

/**
 * Returns a tenant's data key, and creates it if needed. Throws `master-key-missing` (server).
 */
export async function ensureTenantDataKey(store: Store, keys: KeyService, tenantId: string): Promise<Buffer> {
  // Drawn from the system, not from the request's seed, which is stored under another key. A
  // repeated request uses the data key of the row, not the one generated here.
  const wrapped = await keys.wrap(randomBytes(DATA_KEY_BYTES), tenantId);
  return keys.unwrap(await ensureDataKey(store, tenantId, wrapped), tenantId);
}
