import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

/**
 * Every function of the store that touches tenants' rows takes the tenant right after the connection, from the key or a row and never from a payload.
 * Those that do not are the platform's own: they stand in these modules, which say so at their top, or are named here with the reason.
 */
const PLATFORM_MODULES = new Set([
  'api-keys.ts',
  'inventory.ts',
  'numbers.ts',
  'owed.ts',
  'owners.ts',
  'platform-limits.ts',
  'rates.ts',
  'purge-events.ts',
  'seed.ts',
  'turns.ts',
  'voice-webhooks.ts',
  'tenants.ts',
  'store.ts',
  'grouped.ts',
]);
const NOBODYS: Readonly<Record<string, string>> = {
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

const folder = new URL('.', import.meta.url);
interface Signature {
  module: string;
  name: string;
  /** The parameters after the connection. */
  first: string | undefined;
}
const signatures = (): Signature[] =>
  readdirSync(folder)
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
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
    expect(signatures()).toContainEqual({ module: 'session-view.ts', name: 'lockSession', first: 'tenantId' });
  });

  it('has no function on tenants’ rows that does not take the tenant first', () => {
    const forgotten = signatures().filter(
      ({ module, name, first }) => first !== 'tenantId' && !PLATFORM_MODULES.has(module) && NOBODYS[name] === undefined,
    );
    expect(forgotten).toEqual([]);
  });

  it('says at the top of each module that is the platform’s that it is', () => {
    const modules = [...new Set(signatures().map(({ module }) => module))].filter(
      (module) => PLATFORM_MODULES.has(module) && module !== 'store.ts' && module !== 'grouped.ts',
    );
    const silent = modules.filter(
      (module) => !readFileSync(new URL(module, folder), 'utf8').includes('/* Platform-wide: '),
    );
    expect(silent).toEqual([]);
  });
});
