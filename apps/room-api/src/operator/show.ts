import type { Tenant } from '@partyline/contracts/tenant';
import type { TenantRow } from '@partyline/store/tenants';

/** A tenant as operators see it. */
export const showTenant = (row: TenantRow): Tenant => ({
  id: row.id,
  name: row.name,
  homeCountry: row.home_country,
  state: row.suspended_at === null ? 'active' : 'suspended',
  createdAt: row.created_at.toISOString(),
  suspendedAt: row.suspended_at?.toISOString() ?? null,
});
