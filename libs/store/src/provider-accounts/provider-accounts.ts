import type { provider_account } from '../generated/client.ts';
import { EVERY_TENANT, inTransaction, type Store, type Tx } from '../database/store.ts';
import { blocksDeletion } from './block-deletion.ts';

/** An account without its credentials. */
export type AccountRow = Omit<provider_account, 'ciphertext' | 'old_ciphertext' | 'old_version' | 'deleted_at'> & {
  /** The dial-in numbers whose calls arrive at it. */
  readonly numbers: readonly string[];
};

const COLUMNS = `a.id, a.tenant_id, a.label, a.voice_kind, a.media_kind, a.application_id, a.voice_region, a.sip_domain,
  a.voice_key_end, a.media_key_end, a.trunk_host, a.trunk_transport, a.trunk_addresses, a.version, 
  CASE WHEN a.old_until > now() THEN a.old_until END AS old_until, a.verified_at, a.created_at,
  ARRAY(SELECT n.e164 FROM dial_in_number n WHERE n.account_id = a.id ORDER BY n.e164) AS numbers`;

/** The part of a trunk account that is not secret: kamailio needs it without the master key. */
export interface TrunkOfAccount {
  /** Host with or without a port; null: the account places no calls, or is of another kind. */
  readonly host: string | null;
  readonly transport: 'udp' | 'tcp' | 'tls' | null;
  /** The IP addresses from which it calls us; empty for another kind. */
  readonly addresses: readonly string[];
}

interface NewAccount {
  readonly id: string;
  readonly label: string;
  readonly voiceKind: string;
  readonly mediaKind: string;
  readonly applicationId: string | null;
  readonly voiceRegion: string | null;
  readonly sipDomain: string | null;
  readonly voiceKeyEnd: string | null;
  readonly mediaKeyEnd: string | null;
  readonly trunk: TrunkOfAccount;
  /** The credentials, encrypted as version 1. */
  readonly ciphertext: Uint8Array;
}

/**
 * Inserts an account whose credentials the provider has just accepted. `too-many`: the tenant has
 * `maxAccounts`; `application-in-use`: an account of any tenant uses its application.
 */
export async function insertAccount(
  store: Store,
  tenantId: string,
  account: NewAccount,
  maxAccounts: number,
): Promise<AccountRow | 'too-many' | 'application-in-use'> {
  return inTransaction(store, tenantId, async (tx) => {
    await tx.query({
      name: 'lock-accounts',
      text: `SELECT pg_advisory_xact_lock(hashtextextended('provider accounts of ' || $1, 0))`,
      values: [tenantId],
    });
    const { rows: counted } = await tx.query<{ n: number }>({
      name: 'count-accounts',
      text: 'SELECT count(*)::int AS n FROM provider_account WHERE tenant_id = $1 AND deleted_at IS NULL',
      values: [tenantId],
    });
    if (counted[0]!.n >= maxAccounts) return 'too-many';
    const { rowCount } = await tx.query({
      name: 'insert-account',
      text: `INSERT INTO provider_account (
               id, tenant_id, label, voice_kind, media_kind, application_id, voice_key_end, media_key_end, ciphertext,
               voice_region, sip_domain, trunk_host, trunk_transport, trunk_addresses, verified_at
             )
             VALUES ($2, $1, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, now())
             ON CONFLICT (application_id) WHERE deleted_at IS NULL DO NOTHING`,
      values: [
        tenantId,
        account.id,
        account.label,
        account.voiceKind,
        account.mediaKind,
        account.applicationId,
        account.voiceKeyEnd,
        account.mediaKeyEnd,
        account.ciphertext,
        account.voiceRegion,
        account.sipDomain,
        account.trunk.host,
        account.trunk.transport,
        account.trunk.addresses,
      ],
    });
    return rowCount === 1 ? (await readAccountIn(tx, tenantId, account.id))! : 'application-in-use';
  });
}

async function readAccountIn(tx: Tx, tenantId: string, id: string): Promise<AccountRow | null> {
  const { rows } = await tx.query<AccountRow>({
    name: 'read-account',
    text: `SELECT ${COLUMNS}
           FROM provider_account a
           WHERE a.tenant_id = $1 AND a.id = $2 AND a.deleted_at IS NULL`,
    values: [tenantId, id],
  });
  return rows[0] ?? null;
}

/** Returns a tenant's account; `null` when there is none. */
export async function readAccount(store: Store, tenantId: string, id: string): Promise<AccountRow | null> {
  return inTransaction(store, tenantId, (tx) => readAccountIn(tx, tenantId, id));
}

/** Returns all accounts of a tenant, oldest first. */
export async function listAccounts(store: Store, tenantId: string): Promise<AccountRow[]> {
  const { rows } = await store.query<AccountRow>(tenantId, {
    name: 'list-accounts',
    text: `SELECT ${COLUMNS}
           FROM provider_account a
           WHERE a.tenant_id = $1 AND a.deleted_at IS NULL
           ORDER BY a.created_at, a.id`,
    values: [tenantId],
  });
  return rows;
}

/** Sets the label of a tenant's account; `null` when there is none. */
export async function setAccountLabel(
  store: Store,
  tenantId: string,
  id: string,
  label: string,
): Promise<AccountRow | null> {
  return inTransaction(store, tenantId, async (tx) => {
    await tx.query({
      name: 'label-account',
      text: `UPDATE provider_account
             SET label = $3
             WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL`,
      values: [tenantId, id, label],
    });
    return readAccountIn(tx, tenantId, id);
  });
}

/** An account's encrypted credentials, with the associated data of the encryption. */
interface EncryptedAccount {
  readonly tenant_id: string;
  readonly voice_kind: string;
  readonly media_kind: string;
  readonly version: number;
  readonly ciphertext: Uint8Array;
  /** The previous credentials while their secrets are valid; null otherwise. */
  readonly old_version: number | null;
  readonly old_ciphertext: Uint8Array | null;
}

const ENCRYPTED_COLUMNS = `tenant_id, voice_kind, media_kind, version, ciphertext,
  CASE WHEN old_until > now() THEN old_version END AS old_version,
  CASE WHEN old_until > now() THEN old_ciphertext END AS old_ciphertext`;

/** Returns the encrypted credentials of a tenant's account; `null` when there is none. */
export async function readEncryptedAccount(
  store: Store,
  tenantId: string,
  id: string,
): Promise<EncryptedAccount | null> {
  const { rows } = await store.query<EncryptedAccount>(tenantId, {
    name: 'read-account-ciphertext',
    text: `SELECT ${ENCRYPTED_COLUMNS}
           FROM provider_account
           WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL`,
    values: [tenantId, id],
  });
  return rows[0] ?? null;
}

/**
 * Returns the current versions of any tenant's account: that of its credentials, and that of the
 * previous ones while their secrets are valid. Returns `null` when there is no such account.
 */
export async function findAccountVersion(
  store: Store,
  id: string,
): Promise<{ tenant_id: string; version: number; old_version: number | null } | null> {
  const { rows } = await store.query<{ tenant_id: string; version: number; old_version: number | null }>(EVERY_TENANT, {
    name: 'find-account-version',
    text: `SELECT tenant_id, version, CASE WHEN old_until > now() THEN old_version END AS old_version
           FROM provider_account
           WHERE id = $1 AND deleted_at IS NULL`,
    values: [id],
  });
  return rows[0] ?? null;
}

/**
 * Replaces the credentials of `version` by new ones, which the provider has just accepted. The old
 * secrets stay valid for `overlapS` more seconds. Returns `null` when the version has changed or
 * the account is gone.
 */
export async function replaceCredentials(
  store: Store,
  tenantId: string,
  id: string,
  {
    version,
    ciphertext,
    overlapS,
    trunk,
  }: { version: number; ciphertext: Uint8Array; overlapS: number; trunk: TrunkOfAccount },
): Promise<AccountRow | null> {
  return inTransaction(store, tenantId, async (tx) => {
    const { rowCount } = await tx.query({
      name: 'replace-credentials',
      text: `UPDATE provider_account
             SET old_ciphertext = CASE WHEN $5 > 0 THEN ciphertext END,
               old_version = CASE WHEN $5 > 0 THEN version END,
               old_until = CASE WHEN $5 > 0 THEN clock_timestamp() + make_interval(secs => $5) END,
               ciphertext = $4, version = version + 1, verified_at = now(),
               trunk_host = $6, trunk_transport = $7, trunk_addresses = $8
             WHERE tenant_id = $1 AND id = $2 AND version = $3 AND deleted_at IS NULL`,
      values: [tenantId, id, version, ciphertext, overlapS, trunk.host, trunk.transport, trunk.addresses],
    });
    return rowCount === 1 ? readAccountIn(tx, tenantId, id) : null;
  });
}

/**
 * Records that the provider has just accepted the credentials of `version`; `null` when the account
 * is gone.
 */
export async function recordVerification(
  store: Store,
  tenantId: string,
  id: string,
  version: number,
): Promise<AccountRow | null> {
  return inTransaction(store, tenantId, async (tx) => {
    await tx.query({
      name: 'record-verified',
      text: `UPDATE provider_account
             SET verified_at = now()
             WHERE tenant_id = $1 AND id = $2 AND version = $3 AND deleted_at IS NULL`,
      values: [tenantId, id, version],
    });
    return readAccountIn(tx, tenantId, id);
  });
}

/**
 * Deletes a tenant's account and wipes its credentials. `in-use`: it has numbers, running sessions
 * or legs of `blocksDeletion`; `null`: there is none.
 */
export async function deleteAccount(store: Store, tenantId: string, id: string): Promise<'deleted' | 'in-use' | null> {
  // In the platform's scope, because callers before admission have no tenant.
  return inTransaction(store, EVERY_TENANT, async (tx) => {
    // `lockAccountForShare` waits for this lock before a number is assigned to the account.
    const { rowCount } = await tx.query({
      name: 'lock-account',
      text: `SELECT
             FROM provider_account
             WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL
             FOR UPDATE`,
      values: [tenantId, id],
    });
    if (rowCount === 0) return null;
    const { rows } = await tx.query<{ used: boolean }>({
      name: 'account-is-used',
      // An ending session ends with its last leg.
      text: `SELECT EXISTS (SELECT FROM dial_in_number WHERE account_id = $2)
               OR EXISTS (
                 SELECT
                 FROM session
                 WHERE tenant_id = $1 AND account_id = $2 AND state IN ('open', 'live')
               )
               OR EXISTS (
                 SELECT
                 FROM leg l
                 WHERE l.tenant_id = $1 AND l.account_id = $2 AND l.session_id IS NOT NULL AND ${blocksDeletion('l')}
               )
               OR EXISTS (
                 SELECT FROM leg l WHERE l.session_id IS NULL AND l.account_id = $2 AND ${blocksDeletion('l')}
               ) AS used`,
      values: [tenantId, id],
    });
    if (rows[0]!.used) return 'in-use';
    await tx.query({
      name: 'wipe-account',
      text: `UPDATE provider_account
             SET deleted_at = now(), ciphertext = NULL, old_ciphertext = NULL, old_version = NULL, old_until = NULL,
               trunk_host = NULL, trunk_transport = NULL, trunk_addresses = '{}'
             WHERE tenant_id = $1 AND id = $2`,
      values: [tenantId, id],
    });
    return 'deleted';
  });
}

/**
 * Locks an account against deletion until the end of the transaction; `false` when the tenant has
 * none.
 */
export async function lockAccountForShare(tx: Tx, tenantId: string, id: string): Promise<boolean> {
  const { rowCount } = await tx.query({
    name: 'lock-account-for-share',
    text: `SELECT
           FROM provider_account
           WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL
           FOR SHARE`,
    values: [tenantId, id],
  });
  return rowCount === 1;
}

/** Deletes previous credentials whose secrets have expired. Returns the number of accounts. */
export async function dropOldCredentials(store: Store): Promise<number> {
  const { rowCount } = await store.query(EVERY_TENANT, {
    name: 'drop-old-credentials',
    text: `UPDATE provider_account
           SET old_ciphertext = NULL, old_version = NULL, old_until = NULL
           WHERE old_ciphertext IS NOT NULL AND old_until <= now()`,
    values: [],
  });
  return rowCount ?? 0;
}
