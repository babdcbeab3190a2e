import { countDataKeys, listDataKeysToRewrap, replaceDataKey } from '@partyline/store/provider-accounts/data-keys';
import type { Store } from '@partyline/store/database/store';
import type { KeyService } from './key-service.ts';

const BATCH = 100;

/**
 * Wraps every data key anew that another master key than the first has wrapped, so that the others can be taken out. Done twice, or broken off on the way, it does no
 * harm. Throws `master-key-missing` when one is needed that is not there.
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
    const batch = await listDataKeysToRewrap(store, keys.currentKeyId, { after, limit: BATCH });
    for (const { tenantId, ...before } of batch) {
      if (await replaceDataKey(store, tenantId, before, await keys.wrap(await keys.unwrap(before, tenantId), tenantId)))
        rewrapped += 1;
      after = tenantId;
    }
    if (batch.length < BATCH) return { rewrapped, now: await countDataKeys(store) };
  }
}
