import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

/*
 * A function of the store that touches tenants' rows takes the tenant right after the connection,
 * from the key or a row and never from a payload. The exceptions are platform-wide: modules that
 * say so at their top, and functions that are listed here with the reason.
 */
const PLATFORM_MODULES = new Set([
  'billing/rates.ts',
  'callers/voice-webhooks.ts',
  'callers/webhook-tokens.ts',
  'database/check-writes.ts',
  'database/lease.ts',
  'database/store.ts',
  'events/purge-events.ts',
  'keys/authenticate.ts',
  'limits/platform-limits.ts',
  'numbers/numbers.ts',
  'providers/rate-limit.ts',
  'reconciliation/due-work.ts',
  'reconciliation/inventory.ts',
  'reconciliation/purge.ts',
  'sessions/find-owner.ts',
  'tenants/seed.ts',
  'tenants/tenants.ts',
]);
const PLATFORM_FUNCTIONS: Readonly<Record<string, string>> = {
  countPins: 'counts the PINs of a shared number',
  claimDeliveries: 'claims due deliveries of all tenants; each row names its tenant',
  cleanUpDeliveries: 'cleans up after disabled and deleted endpoints of all tenants',
  claimCdrsWithPriceDue: 'claims due records of all tenants; each row names its tenant',
  listAccountsWithPriceDue: 'lists the accounts of the same records',
  listSessionsNearLimit: 'sweeps the sessions of all tenants; each row names its tenant',
  countOpenCharges: 'counts for the operator',
  findAccountVersion: 'finds an account by its id; the row names its tenant',
  dropOldCredentials: 'deletes expired credentials of all tenants',
  listDataKeysToRewrap: 'lists data keys of all tenants; each row names its tenant',
  listEndpointSecretsToRewrap: 'lists secrets of all tenants; each row names its tenant',
  listPinsToRewrap: 'lists PINs of all tenants; each row names its tenant',
  listPinsWithoutHead: 'lists PINs of all tenants; each row names its tenant',
  countDataKeys: 'counts for the operator',
  listTrunkAccounts: 'lists trunks of all tenants, for kamailio',
  listLogins: 'lists SIP accounts of all tenants; each row names its tenant',
  listGatewayNumbers: 'lists numbers of all tenants; each row names its tenant',
  readHorizon: 'reads the running transactions of all tenants',
  isDialInNumber: 'compares a destination with the dial-in numbers of all tenants',
  listTenantsWithEvents: 'returns which of the given tenants have new events',
};

const folder = new URL('../', import.meta.url);
interface Signature {
  module: string;
  name: string;
  /** The parameters after the connection. */
  first: string | undefined;
}
const signatures = (): Signature[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => /^(?!generated\/|testing\/).*(?<!\.test)\.ts$/.test(file))
    .flatMap((module) =>
      [
        ...readFileSync(new URL(module, folder), 'utf8').matchAll(
          /export (?:async )?function (\w+)\(\s*(?:store|tx|\{[^}]*\}): (?:[^,()<]|<[^>]*>)+(?:,\s*(\w+|\{))?/g,
        ),
      ].map(([, name = '', first]) => ({ module, name, first })),
    );

describe('the functions of the store', () => {
  it('are found by this test', () => {
    expect(signatures().length).toBeGreaterThan(30);
    expect(signatures()).toContainEqual({ module: 'sessions/session-lock.ts', name: 'lockSession', first: 'tenantId' });
  });

  it('take the tenant first, except the platform-wide ones', () => {
    const withoutTenant = signatures().filter(
      ({ module, name, first }) =>
        first !== 'tenantId' && !PLATFORM_MODULES.has(module) && PLATFORM_FUNCTIONS[name] === undefined,
    );
    expect(withoutTenant).toEqual([]);
  });

  it('exist when they are listed as exceptions', () => {
    const names = new Set(signatures().map(({ name }) => name));
    expect(Object.keys(PLATFORM_FUNCTIONS).filter((name) => !names.has(name))).toEqual([]);
    const found = new Set(signatures().map(({ module }) => module));
    expect([...PLATFORM_MODULES].filter((module) => !found.has(module))).toEqual([]);
  });

  it('stand in a module with a `Platform-wide` comment when the module is listed here', () => {
    const modules = [...new Set(signatures().map(({ module }) => module))].filter(
      (module) => PLATFORM_MODULES.has(module) && module !== 'database/store.ts',
    );
    const withoutComment = modules.filter(
      (module) => !readFileSync(new URL(module, folder), 'utf8').includes('/* Platform-wide: '),
    );
    expect(withoutComment).toEqual([]);
  });
});
