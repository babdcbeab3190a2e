import { insertKey } from '@partyline/store/keys';
import { EVERY_TENANT, inTransaction } from '@partyline/store/store';
import { insertTenant, type TenantRow } from '@partyline/store/tenants';
import type { Deps } from './deps.ts';
import { drawKey, type DrawnKey } from './draw-key.ts';

/** A tenant with its first key, which may do everything of the tenant's: both, or neither. The key is told once, here. */
export async function createTenant(
  deps: Pick<Deps, 'store' | 'ids' | 'secret'>,
  { name, homeCountry, env }: { name: string; homeCountry: string; env: string },
): Promise<{ tenant: TenantRow; key: DrawnKey }> {
  const key = drawKey(deps, env);
  const id = deps.ids.next('ten');
  const tenant = await inTransaction(deps.store, EVERY_TENANT, async (tx) => {
    const made = await insertTenant(tx, { id, name, homeCountry });
    await insertKey(tx, id, { id: key.id, label: 'First key', scopes: ['admin'], secretHash: key.secretHash, expiresAt: null });
    return made;
  });
  return { tenant, key };
}
