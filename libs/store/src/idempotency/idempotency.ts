import { EVERY_TENANT, inTransaction, type Store } from '../database/store.ts';
import type { idempotency_key } from '../generated/client.ts';

/** How long a reply is stored for repeated requests. */
export const REPLY_RETENTION_HOURS = 24;

interface KeyRequest {
  /** The id of the row, if it is new. */
  readonly id: string;
  readonly key: string;
  /**
   * Keyed hashes of API key, method, address, If-Match and body, one for each key of the ring; the
   * first one is stored. Equal requests share a fingerprint, which does not reveal its request.
   */
  readonly fingerprints: readonly [Buffer, ...Buffer[]];
  /** Encrypted. */
  readonly seed: Buffer;
  /** How long no other process may claim the request. */
  readonly leaseMs: number;
}

export type KeyClaim =
  | {
      readonly outcome: 'execute';
      readonly id: string;
      readonly seed: Uint8Array;
      readonly leaseUntil: Date;
      readonly steps: readonly { readonly step: string; readonly result: Uint8Array }[];
    }
  | { readonly outcome: 'replay'; readonly id: string; readonly reply: Uint8Array }
  | { readonly outcome: 'wait'; readonly leftMs: number }
  | { readonly outcome: 'reject' };

type KeyRow = idempotency_key & { left_ms: number; old: boolean };

/**
 * Claims a request by its idempotency key, in one transaction on the database clock. `execute`: the
 * request is new, or its last execution failed or died; then with that execution's seed and steps.
 * `replay`: a reply is stored. `wait`: another process executes it. `reject`: the key belongs to a
 * different request.
 */
export async function claimKey(store: Store, tenantId: string, request: KeyRequest): Promise<KeyClaim> {
  const claimed = await inTransaction(store, tenantId, async (tx): Promise<KeyClaim> => {
    for (;;) {
      const lease = `clock_timestamp() + make_interval(secs => $1)`;
      const inserted = await tx.query<{ lease_until: Date }>({
        name: 'claim-idempotency-key',
        text: `INSERT INTO idempotency_key (id, tenant_id, key, fingerprint, seed, lease_until)
               VALUES ($2, $3, $4, $5, $6, ${lease})
               ON CONFLICT (tenant_id, key) DO NOTHING
               RETURNING lease_until`,
        values: [request.leaseMs / 1000, request.id, tenantId, request.key, request.fingerprints[0], request.seed],
      });
      const leaseUntil = inserted.rows[0]?.lease_until;
      if (leaseUntil !== undefined)
        return { outcome: 'execute', id: request.id, seed: request.seed, leaseUntil, steps: [] };
      const found = await tx.query<KeyRow>({
        name: 'lock-idempotency-key',
        text: `SELECT k.*,
                 COALESCE(extract(epoch FROM k.lease_until - clock_timestamp()) * 1000, 0)::float8 AS left_ms,
                 k.created_at < now() - make_interval(hours => $3) AS old
               FROM idempotency_key k
               WHERE k.tenant_id = $1 AND k.key = $2
               FOR NO KEY UPDATE`,
        values: [tenantId, request.key, REPLY_RETENTION_HOURS],
      });
      const row = found.rows[0];
      // The row was deleted between the two statements.
      if (row === undefined) continue;
      if (row.old) {
        await tx.query({
          name: 'delete-idempotency-key',
          text: 'DELETE FROM idempotency_key WHERE tenant_id = $1 AND id = $2',
          values: [tenantId, row.id],
        });
        continue;
      }
      if (!request.fingerprints.some((each) => each.equals(row.fingerprint))) return { outcome: 'reject' };
      if (row.reply !== null) return { outcome: 'replay', id: row.id, reply: row.reply };
      if (row.left_ms > 0) return { outcome: 'wait', leftMs: row.left_ms };
      const leased = await tx.query<{ lease_until: Date }>({
        name: 'take-over-idempotency-key',
        text: `UPDATE idempotency_key
               SET lease_until = ${lease}
               WHERE tenant_id = $2 AND id = $3
               RETURNING lease_until`,
        values: [request.leaseMs / 1000, tenantId, row.id],
      });
      return { outcome: 'execute', id: row.id, seed: row.seed, leaseUntil: leased.rows[0]!.lease_until, steps: [] };
    }
  });
  // Read after the lease is committed: from then on only the lease holder adds steps. A process
  // that lost the lease fails on the unique key of a step.
  return claimed.outcome === 'execute' && claimed.id !== request.id
    ? { ...claimed, steps: await stepsOf(store, claimed.id) }
    : claimed;
}

/** Reads a request's steps across tenants: an operator's request changes tenants' rows. */
async function stepsOf(store: Store, keyId: string): Promise<{ step: string; result: Uint8Array }[]> {
  const { rows } = await store.query<{ step: string; result: Uint8Array }>(EVERY_TENANT, {
    name: 'idempotency-steps',
    text: 'SELECT step, result FROM idempotency_step WHERE key_id = $1',
    values: [keyId],
  });
  return rows;
}

/**
 * The lease on a claimed key. It is lost when another process claims the key after `leaseUntil`.
 */
interface KeyLease {
  readonly id: string;
  readonly leaseUntil: Date;
}

/**
 * Stores the reply and ends the lease. Returns `false`, without a change, when the lease was lost.
 */
export async function storeReply(store: Store, tenantId: string, lease: KeyLease, reply: Buffer): Promise<boolean> {
  return changeLeasedKey(
    store,
    tenantId,
    lease,
    'store-reply',
    'UPDATE idempotency_key SET reply = $4, lease_until = NULL',
    [reply],
  );
}

/**
 * Ends the lease, so that a retry can claim the key at once. Returns `false` when the lease was
 * lost.
 */
export async function releaseKey(store: Store, tenantId: string, lease: KeyLease): Promise<boolean> {
  return changeLeasedKey(store, tenantId, lease, 'release-key', 'UPDATE idempotency_key SET lease_until = NULL');
}

/** Deletes a key whose request changed nothing. Returns `false` when the lease was lost. */
export async function deleteKey(store: Store, tenantId: string, lease: KeyLease): Promise<boolean> {
  return changeLeasedKey(store, tenantId, lease, 'delete-key', 'DELETE FROM idempotency_key');
}

async function changeLeasedKey(
  store: Store,
  tenantId: string,
  { id, leaseUntil }: KeyLease,
  name: string,
  text: string,
  values: readonly unknown[] = [],
): Promise<boolean> {
  const { rowCount } = await store.query(tenantId, {
    name,
    text: `${text} WHERE tenant_id = $1 AND id = $2 AND lease_until = $3`,
    values: [tenantId, id, leaseUntil, ...values],
  });
  return rowCount === 1;
}
