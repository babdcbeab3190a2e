import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

/**
 * Every function of the store that touches tenants' rows takes the tenant right after the connection, from the key or a row and never from a payload.
 * Those that do not are the platform's own: they stand in these modules, which say so at their top, or are named here with the reason.
 */
const PLATFORM_MODULES = new Set([
  'billing/rates.ts',
  'callers/voice-webhooks.ts',
  'callers/webhook-tokens.ts',
  'database/batcher.ts',
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
  countPins: 'PINs of a shared number',
  claimDeliveries: 'the operator’s sender takes whichever is due; each row brings its tenant',
  tidyDeliveries: 'whoever’s endpoints are disabled or deleted',
  takeCdrsToAsk: 'the operator’s sweep: each record brings its tenant',
  accountsToAsk: 'the same',
  listNearLimit: 'the operator’s sweep: each session brings its tenant',
  countCharges: 'the operator’s figures',
  findAccountVersion: 'the account of an address or of a row: it brings its tenant',
  dropOldCredentials: 'whoever’s are over',
  listDataKeysToRewrap: 'the operator’s: each key brings its tenant',
  countDataKeys: 'the operator’s figures',
  readHorizon: 'what is running, whoever’s it is',
  tenantsWithEvents: 'which of those who listen have something to read; they read it themselves',
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

describe('the store', () => {
  it('is read by this test', () => {
    expect(signatures().length).toBeGreaterThan(30);
    expect(signatures()).toContainEqual({ module: 'sessions/session-lock.ts', name: 'lockSession', first: 'tenantId' });
  });

  it('has no function on tenants’ rows that does not take the tenant first', () => {
    const forgotten = signatures().filter(
      ({ module, name, first }) =>
        first !== 'tenantId' && !PLATFORM_MODULES.has(module) && PLATFORM_FUNCTIONS[name] === undefined,
    );
    expect(forgotten).toEqual([]);
  });

  it('says at the top of each module that is the platform’s that it is', () => {
    const modules = [...new Set(signatures().map(({ module }) => module))].filter(
      (module) => PLATFORM_MODULES.has(module) && module !== 'database/store.ts' && module !== 'database/batcher.ts',
    );
    const silent = modules.filter(
      (module) => !readFileSync(new URL(module, folder), 'utf8').includes('/* Platform-wide: '),
    );
    expect(silent).toEqual([]);
  });
});
