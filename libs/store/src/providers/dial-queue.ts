import type { Tx } from '../database/store.ts';

/** The calls, dial-outs and bridges, that wait to be placed through a provider account. */
export interface DialQueue {
  /** Calls that are placed until the tenant's last one is. */
  readonly ahead: number;
  /** Waiting calls of all tenants. */
  readonly total: number;
}

/**
 * Measures the queue of an account with the calls of this transaction, and locks it until the end
 * of the transaction, so that concurrent requests cannot exceed a limit. Call it last.
 * @param accountId null for the platform's account
 */
export async function queueDial(tx: Tx, tenantId: string, accountId: string | null): Promise<DialQueue> {
  const { rows } = await tx.query<DialQueue>({
    name: 'queue-dial',
    text: 'SELECT ahead, total FROM queue_dial($1, $2)',
    values: [tenantId, accountId],
  });
  return rows[0]!;
}
