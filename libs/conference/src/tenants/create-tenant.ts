import { insertKey } from '@partyline/store/keys/keys';
import { EVERY_TENANT, inTransaction } from '@partyline/store/database/store';
import { insertTenant, type TenantRow, type TenantSettings } from '@partyline/store/tenants/tenants';
import { checkCurrency } from '../billing/check-currency.ts';
import type { Deps } from '../deps.ts';
import { generateKey, type GeneratedKey } from '../keys/generate-key.ts';

/**
 * Creates a tenant with its first key, which has the admin scope. Only this result contains the
 * plaintext key. Throws 422 for a currency without rates.
 */
export async function createTenant(
  deps: Pick<Deps, 'store' | 'ids' | 'secret'>,
  { settings, env }: { settings: Partial<TenantSettings> & Pick<TenantSettings, 'name'>; env: string },
): Promise<{ tenant: TenantRow; key: GeneratedKey }> {
  if (settings.currency !== undefined) await checkCurrency(deps, settings.currency);
  const key = generateKey(deps, env);
  const id = deps.ids.next('ten');
  const tenant = await inTransaction(deps.store, EVERY_TENANT, async (tx) => {
    const created = await insertTenant(tx, id, settings);
    await insertKey(tx, id, {
      id: key.id,
      label: 'First key',
      scopes: ['admin'],
      secretHash: key.secretHash,
      expiresAt: null,
    });
    return created;
  });
  return { tenant, key };
}
