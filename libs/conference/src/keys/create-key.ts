import { VerdictError } from '@partyline/domain/verdict';
import { countLiveKeys, insertKey, lockKeys, type KeyRow } from '@partyline/store/keys/keys';
import { inTransaction, type Tx } from '@partyline/store/database/store';
import type { Deps } from '../deps.ts';
import { generateKey } from './generate-key.ts';
import { noSuchTenant } from '../errors.ts';

/** PostgreSQL's foreign_key_violation: here the tenant has been deleted. */
const FOREIGN_KEY_VIOLATION = '23503';

/** Valid keys that one tenant may have. */
const MAX_LIVE_KEYS = 50;

/** The key that authenticates the request to create or revoke a key. */
export interface KeyCaller {
  readonly scopes: readonly string[];
  /** The environment in the key's name, which new keys inherit. */
  readonly env: string;
  /** When the key expires; no key that it creates is valid for longer. Null: never. */
  readonly expiresAt: Date | null;
}

/**
 * Creates an API key. Only this result contains the plaintext key. Throws `tenant-not-found` (404),
 * `scope-exceeded` (403) for scopes that the caller does not have, `expiry-exceeded` (403) for an
 * expiry after the caller's, `invalid-body` (422) for a past expiry, and `too-many-keys` (409).
 * @param expiresAt null: with the caller's key, which can be never
 */
export async function createKey(
  deps: Pick<Deps, 'store' | 'ids' | 'secret' | 'clock'>,
  tenantId: string,
  caller: KeyCaller,
  { label, scopes, expiresAt }: { label: string; scopes: readonly string[]; expiresAt: Date | null },
): Promise<{ row: KeyRow; key: string }> {
  assertCanGrant(caller, scopes);
  if (expiresAt !== null && expiresAt <= deps.clock.now())
    throw new VerdictError('client', 'invalid-body', 'expiresAt is in the past.', {
      field: '/expiresAt',
      fix: 'Give a future time, or leave expiresAt out.',
    });
  if (expiresAt !== null) assertExpiryWithin(caller, expiresAt);
  const generated = generateKey(deps, caller.env);
  const row = await inTransaction(deps.store, tenantId, async (tx) => {
    await lockKeys(tx, tenantId);
    await assertKeyQuota(tx, tenantId);
    return insertKey(tx, tenantId, {
      id: generated.id,
      label,
      scopes,
      secretHash: generated.secretHash,
      expiresAt: expiresAt ?? caller.expiresAt,
    });
  }).catch((error: unknown) => {
    throw (error as { code?: string }).code === FOREIGN_KEY_VIOLATION ? noSuchTenant() : error;
  });
  return { row, key: generated.key };
}

const missingScopes = ({ scopes: own }: Pick<KeyCaller, 'scopes'>, wanted: readonly string[]): string[] =>
  own.includes('admin') ? [] : wanted.filter((scope) => !own.includes(scope));

/** Throws `scope-exceeded` (403) for scopes that the caller does not have. */
export function assertCanGrant(caller: Pick<KeyCaller, 'scopes'>, wanted: readonly string[]): void {
  const missing = missingScopes(caller, wanted);
  if (missing.length > 0)
    throw new VerdictError(
      'client',
      'scope-exceeded',
      `Your key cannot grant scopes that it does not have: ${missing.join(', ')}.`,
      { field: '/scopes', fix: 'Use a key that has these scopes, or grant fewer.' },
    );
}

/**
 * Throws `expiry-exceeded` (403) for a key that would be valid for longer than the caller's. Null:
 * never expires.
 */
export function assertExpiryWithin({ expiresAt: own }: Pick<KeyCaller, 'expiresAt'>, wanted: Date | null): void {
  if (own === null || (wanted !== null && wanted <= own)) return;
  throw new VerdictError(
    'client',
    'expiry-exceeded',
    `Your key expires at ${own.toISOString()} and cannot create a key that is valid for longer.`,
    { field: '/expiresAt', fix: 'Give an earlier expiresAt, or use a key that expires later.' },
  );
}

/** Throws `scope-exceeded` (403) for a key with scopes that the caller does not have. */
export function assertCanRevoke(caller: Pick<KeyCaller, 'scopes'>, scopes: readonly string[]): void {
  const missing = missingScopes(caller, scopes);
  if (missing.length > 0)
    throw new VerdictError(
      'client',
      'scope-exceeded',
      `Your key cannot revoke a key with scopes that it does not have: ${missing.join(', ')}.`,
      { fix: 'Use a key that has these scopes.' },
    );
}

/**
 * Throws `too-many-keys` (409). The calling function holds the lock of the tenant's keys, so
 * concurrent requests cannot exceed the quota.
 */
export async function assertKeyQuota(tx: Tx, tenantId: string): Promise<void> {
  const { live } = await countLiveKeys(tx, tenantId);
  if (live >= MAX_LIVE_KEYS)
    throw new VerdictError(
      'client',
      'too-many-keys',
      `The tenant has ${MAX_LIVE_KEYS} live keys, which is the maximum.`,
      {
        fix: 'Revoke an unused key: GET /v1/keys shows when each key was last used.',
        use: { limit: MAX_LIVE_KEYS, used: live },
      },
    );
}
