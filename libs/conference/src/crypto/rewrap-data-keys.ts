import { countDataKeys, listDataKeysToRewrap, replaceDataKey } from '@partyline/store/provider-accounts/data-keys';
import type { Store } from '@partyline/store/database/store';
import type { KeyService } from './key-service.ts';

const BATCH_SIZE = 100;

/**
 * Rewraps with the current master key every data key that another one has wrapped, so that the
 * others can be removed. It may be repeated or interrupted at any point. Throws
 * `master-key-missing`.
 */
export async function rewrapDataKeys({
  store,
  keys,
}: {
  store: Store;
  keys: KeyService;
}): Promise<{ rewrapped: number; now: { keyId: string; keys: number }[] }> {
  let rewrapped = 0;
  for (let after = ''; ;) {
    const batch = await listDataKeysToRewrap(store, keys.currentKeyId, { after, limit: BATCH_SIZE });
    for (const { tenantId, ...before } of batch) {
      if (await replaceDataKey(store, tenantId, before, await keys.wrap(await keys.unwrap(before, tenantId), tenantId)))
        rewrapped += 1;
      after = tenantId;
    }
    if (batch.length < BATCH_SIZE) return { rewrapped, now: await countDataKeys(store) };
  }
}
