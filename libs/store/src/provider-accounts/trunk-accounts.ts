import { EVERY_TENANT, type Store } from '../database/store.ts';

/** What the SIP edge must know of a trunk of a tenant. */
export interface TrunkAccountRow {
  readonly id: string;
  /** Host of its trunk with or without a port; null: it places no calls. */
  readonly trunkHost: string | null;
  /** The IP addresses from which its trunk calls. */
  readonly addresses: readonly string[];
  /** Its numbers, E.164 with plus; at least one. */
  readonly numbers: readonly string[];
}

/** Lists the trunks of all tenants to which an operator has assigned a number. */
export async function listTrunkAccounts(store: Store): Promise<TrunkAccountRow[]> {
  const { rows } = await store.query<TrunkAccountRow>(EVERY_TENANT, {
    name: 'list-trunk-accounts',
    text: `SELECT a.id, a.trunk_host AS "trunkHost", a.trunk_addresses AS addresses,
             array_agg(n.e164 ORDER BY n.e164) AS numbers
           FROM provider_account a JOIN dial_in_number n ON n.account_id = a.id
           WHERE a.voice_kind = 'sip' AND a.deleted_at IS NULL
           GROUP BY a.id
           ORDER BY a.id`,
    values: [],
  });
  return rows;
}
