import { inTransaction, EVERY_TENANT, type Store } from '../database/store.ts';
import type { idempotency_key } from '../generated/client.ts';

/** For how long an answer is given again, in hours. */
export const REPLY_RETENTION_HOURS = 24;

interface KeyRequest {
  /** Of the row, should there be none yet. */
  readonly id: string;
  readonly key: string;
  /** Of method, address and body: the same for the same request, and tells nothing of them. */
  readonly fingerprint: Buffer;
  /** Sealed. */
  readonly seed: Buffer;
  /** Nobody else takes the request up for so long. */
  readonly leaseMs: number;
}

export type KeyClaim =
  | {
      readonly outcome: 'do';
      readonly id: string;
      readonly seed: Uint8Array;
      readonly leaseUntil: Date;
      readonly steps: readonly { readonly step: string; readonly result: Uint8Array }[];
    }
  | { readonly outcome: 'replay'; readonly id: string; readonly reply: Uint8Array }
  | { readonly outcome: 'wait'; readonly leftMs: number }
  | { readonly outcome: 'refuse' };

type KeyRow = idempotency_key & { left_ms: number; old: boolean };

/**
 * Takes a request up by its key: the first to come does it, and so does whoever comes after one who died or failed, with the seed and the steps of the first. One
 * transaction; on the database's clock.
 * @param tenantId whose key it is
 */
export async function claimKey(store: Store, tenantId: string, request: KeyRequest): Promise<KeyClaim> {
  const claimed = await inTransaction(store, tenantId, async (tx): Promise<KeyClaim> => {
    for (;;) {
      const lease = `clock_timestamp() + make_interval(secs => $1)`;
      const made = await tx.query<{ lease_until: Date }>({
        name: 'claim-idempotency-key',
        text: `INSERT INTO idempotency_key (id, tenant_id, key, fingerprint, seed, lease_until) VALUES ($2, $3, $4, $5, $6, ${lease})
               ON CONFLICT (tenant_id, key) DO NOTHING RETURNING lease_until`,
        values: [request.leaseMs / 1000, request.id, tenantId, request.key, request.fingerprint, request.seed],
      });
      if (made.rows[0] !== undefined)
        return { outcome: 'do', id: request.id, seed: request.seed, leaseUntil: made.rows[0].lease_until, steps: [] };
      const found = await tx.query<KeyRow>({
        name: 'lock-idempotency-key',
        text: `SELECT k.*, COALESCE(extract(epoch FROM k.lease_until - clock_timestamp()) * 1000, 0)::float8 AS left_ms, k.created_at < now() - make_interval(hours => $3) AS old
               FROM idempotency_key k WHERE k.tenant_id = $1 AND k.key = $2 FOR NO KEY UPDATE`,
        values: [tenantId, request.key, REPLY_RETENTION_HOURS],
      });
      const row = found.rows[0];
      // Forgotten between the two: it is free.
      if (row === undefined) continue;
      if (row.old) {
        await tx.query({
          name: 'delete-idempotency-key',
          text: 'DELETE FROM idempotency_key WHERE tenant_id = $1 AND id = $2',
          values: [tenantId, row.id],
        });
        continue;
      }
      if (!request.fingerprint.equals(row.fingerprint)) return { outcome: 'refuse' };
      if (row.reply !== null) return { outcome: 'replay', id: row.id, reply: row.reply };
      if (row.left_ms > 0) return { outcome: 'wait', leftMs: row.left_ms };
      const taken = await tx.query<{ lease_until: Date }>({
        name: 'take-over-idempotency-key',
        text: `UPDATE idempotency_key SET lease_until = ${lease} WHERE tenant_id = $2 AND id = $3 RETURNING lease_until`,
        values: [request.leaseMs / 1000, tenantId, row.id],
      });
      return { outcome: 'do', id: row.id, seed: row.seed, leaseUntil: taken.rows[0]!.lease_until, steps: [] };
    }
  });
  // It is ours: nobody adds to its steps from here on but us, or one who is taken for dead and finds ours in the way.
  return claimed.outcome === 'do' && claimed.id !== request.id
    ? { ...claimed, steps: await stepsOf(store, claimed.id) }
    : claimed;
}

/** Across tenants: an operator's request changes rows of theirs. */
async function stepsOf(store: Store, keyId: string): Promise<{ step: string; result: Uint8Array }[]> {
  const { rows } = await store.query<{ step: string; result: Uint8Array }>(EVERY_TENANT, {
    name: 'idempotency-steps',
    text: 'SELECT step, result FROM idempotency_step WHERE key_id = $1',
    values: [keyId],
  });
  return rows;
}

/** Whose it is now: the row's, and until when it was lent; the lease is lost to whoever takes it over. */
interface KeyLease {
  readonly id: string;
  readonly leaseUntil: Date;
}

/** Keeps the answer, to be given again. All three: `false` when the lease was lost, and then nothing is changed. */
export async function storeReply(store: Store, tenantId: string, lease: KeyLease, reply: Buffer): Promise<boolean> {
  return changeLeasedKey(
    store,
    tenantId,
    lease,
    'keep-reply',
    'UPDATE idempotency_key SET reply = $4, lease_until = NULL',
    [reply],
  );
}

/** Lets whoever comes next take it up at once. */
export async function releaseKey(store: Store, tenantId: string, lease: KeyLease): Promise<boolean> {
  return changeLeasedKey(store, tenantId, lease, 'let-go-of-key', 'UPDATE idempotency_key SET lease_until = NULL');
}

/** As if it had never come: nothing was done, and nothing is to be the same next time. */
export async function deleteKey(store: Store, tenantId: string, lease: KeyLease): Promise<boolean> {
  return changeLeasedKey(store, tenantId, lease, 'forget-key', 'DELETE FROM idempotency_key');
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
