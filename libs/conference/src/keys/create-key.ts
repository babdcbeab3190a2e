import { VerdictError } from '@partyline/domain/verdict';
import { countLiveKeys, insertKey, lockKeys, type KeyRow } from '@partyline/store/keys/keys';
import { inTransaction, type Tx } from '@partyline/store/database/store';
import type { Deps } from '../deps.ts';
import { generateKey } from './generate-key.ts';
import { noSuchTenant } from '../errors.ts';

/** Postgres' word for a row that names one which is not there: here the tenant, which may be deleted at any moment. */
const FOREIGN_KEY = '23503';

/** Keys of one tenant that are good at the same time. */
const MAX_LIVE_KEYS = 50;

/** Who makes or ends keys: a key itself. */
export interface KeyCaller {
  readonly scopes: readonly string[];
  /** The environment that it names; the keys that it makes name the same. */
  readonly env: string;
}

/**
 * A new key, told once. Throws `tenant-not-found` (404), `scope-exceeded` (403) when it is to do what its maker may not, `invalid-body` (422) when it would be over already, and
 * `too-many-keys` (409).
 */
export async function createKey(
  deps: Pick<Deps, 'store' | 'ids' | 'secret' | 'clock'>,
  tenantId: string,
  caller: KeyCaller,
  { label, scopes, expiresAt }: { label: string; scopes: readonly string[]; expiresAt: Date | null },
): Promise<{ row: KeyRow; key: string }> {
  assertCanGrant(caller, scopes);
  if (expiresAt !== null && expiresAt <= deps.clock.now())
    throw new VerdictError('client', 'invalid-body', 'The key would have expired already.', {
      field: '/expiresAt',
      fix: 'Give an instant in the future, or leave it out.',
    });
  const drawn = generateKey(deps, caller.env);
  const row = await inTransaction(deps.store, tenantId, async (tx) => {
    await lockKeys(tx, tenantId);
    await assertKeyQuota(tx, tenantId);
    return insertKey(tx, tenantId, { id: drawn.id, label, scopes, secretHash: drawn.secretHash, expiresAt });
  }).catch((error: unknown) => {
    throw (error as { code?: string }).code === FOREIGN_KEY ? noSuchTenant() : error;
  });
  return { row, key: drawn.key };
}

const beyond = ({ scopes: own }: Pick<KeyCaller, 'scopes'>, wanted: readonly string[]): string[] =>
  own.includes('admin') ? [] : wanted.filter((scope) => !own.includes(scope));

/** A key gives nothing that it has not. */
export function assertCanGrant(caller: Pick<KeyCaller, 'scopes'>, wanted: readonly string[]): void {
  const missing = beyond(caller, wanted);
  if (missing.length > 0)
    throw new VerdictError(
      'client',
      'scope-exceeded',
      `A key cannot give what it may not do itself: ${missing.join(', ')}.`,
      { field: '/scopes', fix: 'Ask with a key that has these scopes, or give fewer.' },
    );
}

/** Nor does it end one that may do more. */
export function assertCanRevoke(caller: Pick<KeyCaller, 'scopes'>, theirs: readonly string[]): void {
  const missing = beyond(caller, theirs);
  if (missing.length > 0)
    throw new VerdictError(
      'client',
      'scope-exceeded',
      `A key cannot end one that may do what it may not itself: ${missing.join(', ')}.`,
      { fix: 'Ask with a key that has these scopes.' },
    );
}

/** With the lock on the tenant's keys held, so that two at once do not both find room for one. */
export async function assertKeyQuota(tx: Tx, tenantId: string): Promise<void> {
  const { live } = await countLiveKeys(tx, tenantId);
  if (live >= MAX_LIVE_KEYS)
    throw new VerdictError('client', 'too-many-keys', `There are ${MAX_LIVE_KEYS} live keys, as many as there may be.`, {
      fix: 'Revoke one that is not used: GET /v1/keys shows when each last was.',
      use: { limit: MAX_LIVE_KEYS, used: live },
    });
}
