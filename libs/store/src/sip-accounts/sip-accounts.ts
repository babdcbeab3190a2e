import { PLATFORM_SIP } from '@partyline/domain/platform-account';
import { EVERY_TENANT, inTransaction, type Store } from '../database/store.ts';
import type { sip_account } from '../generated/client.ts';

/** The login of a SIP phone. Its password is not stored: it is derived from the tenant's data key. */
export type SipAccountRow = sip_account;

/** Inserts a SIP account. Returns `null` when the tenant has `maxAccounts`. */
export async function insertSipAccount(
  store: Store,
  tenantId: string,
  { id, label }: { readonly id: string; readonly label: string },
  maxAccounts: number,
): Promise<SipAccountRow | null> {
  return inTransaction(store, tenantId, async (tx) => {
    await tx.query({
      name: 'lock-sip-accounts',
      text: `SELECT pg_advisory_xact_lock(hashtextextended('SIP accounts of ' || $1, 0))`,
      values: [tenantId],
    });
    const { rows } = await tx.query<SipAccountRow>({
      name: 'insert-sip-account',
      text: `INSERT INTO sip_account (id, tenant_id, label)
             SELECT $2, $1, $3
             WHERE (SELECT count(*) FROM sip_account WHERE tenant_id = $1) < $4
             RETURNING *`,
      values: [tenantId, id, label, maxAccounts],
    });
    return rows[0] ?? null;
  });
}

/** Returns all SIP accounts of a tenant, oldest first. */
export async function listSipAccountsOfTenant(store: Store, tenantId: string): Promise<SipAccountRow[]> {
  const { rows } = await store.query<SipAccountRow>(tenantId, {
    name: 'list-sip-accounts-of-tenant',
    text: 'SELECT * FROM sip_account WHERE tenant_id = $1 ORDER BY created_at, id',
    values: [tenantId],
  });
  return rows;
}

/** Gives a tenant's SIP account a new version, and so a new password; `null` when there is none. */
export async function advanceSipAccount(store: Store, tenantId: string, id: string): Promise<SipAccountRow | null> {
  const { rows } = await store.query<SipAccountRow>(tenantId, {
    name: 'advance-sip-account',
    text: 'UPDATE sip_account SET version = version + 1 WHERE tenant_id = $1 AND id = $2 RETURNING *',
    values: [tenantId, id],
  });
  return rows[0] ?? null;
}

/** Deletes a tenant's SIP account; `false` when there is none. */
export async function deleteSipAccount(store: Store, tenantId: string, id: string): Promise<boolean> {
  const { rowCount } = await store.query(tenantId, {
    name: 'delete-sip-account',
    text: 'DELETE FROM sip_account WHERE tenant_id = $1 AND id = $2',
    values: [tenantId, id],
  });
  return rowCount === 1;
}

/** A SIP account of any tenant. */
export interface Login {
  readonly id: string;
  readonly tenantId: string;
  readonly version: number;
}

/** Lists the SIP accounts of all tenants that are not suspended. */
export async function listLogins(store: Store): Promise<Login[]> {
  const { rows } = await store.query<Login>(EVERY_TENANT, {
    name: 'list-logins',
    text: `SELECT s.id, s.tenant_id AS "tenantId", s.version
           FROM sip_account s JOIN tenant t ON t.id = s.tenant_id
           WHERE t.suspended_at IS NULL
           ORDER BY s.id`,
    values: [],
  });
  return rows;
}

/** A number whose calls arrive at our own gateways. */
export interface GatewayNumber {
  /** E.164 with plus. */
  readonly number: string;
  /** The tenant of a dedicated number; null: shared by all tenants. */
  readonly tenantId: string | null;
  /** The provider account of its calls; null: the platform's first. */
  readonly accountId: string | null;
}

/**
 * Lists the numbers whose calls arrive at our own gateways: those of tenants' trunks and of the
 * platform's SIP account, and with `isPlatformHere` those of its first account.
 */
export async function listGatewayNumbers(store: Store, isPlatformHere: boolean): Promise<GatewayNumber[]> {
  const { rows } = await store.query<GatewayNumber>(EVERY_TENANT, {
    name: 'list-gateway-numbers',
    text: `SELECT n.e164 AS number, n.dedicated_to AS "tenantId", n.account_id AS "accountId"
           FROM dial_in_number n LEFT JOIN provider_account a ON a.id = n.account_id
           WHERE a.voice_kind = 'sip' OR n.account_id = $2 OR (n.account_id IS NULL AND $1)
           ORDER BY n.e164`,
    values: [isPlatformHere, PLATFORM_SIP],
  });
  return rows;
}
