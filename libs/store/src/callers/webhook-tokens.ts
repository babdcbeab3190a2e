import type { Tx } from '../database/store.ts';

/* Platform-wide: a webhook is verified before its tenant is known. */

/** The signature token of a webhook: valid once, until it expires. */
export interface WebhookToken {
  /**
   * The account whose secret signed it; null: the platform's. The webhook concerns calls of that
   * account only.
   */
  readonly accountId: string | null;
  readonly jti: string;
  readonly expiresAt: Date;
}

/** The stored token id, separate for each account, so that no account can use up another's ids. */
export const tokenKey = ({ accountId, jti }: WebhookToken): string =>
  accountId === null ? jti : `${accountId}:${jti}`;

/**
 * Marks a token as used, in the transaction of the webhook's change. Returns `false` for a replayed
 * token.
 */
export async function consumeToken(tx: Tx, token: WebhookToken): Promise<boolean> {
  const { rowCount } = await tx.query({
    name: 'use-webhook-token',
    text: 'INSERT INTO webhook_jti (jti, expires_at) VALUES ($1, $2) ON CONFLICT DO NOTHING',
    values: [tokenKey(token), token.expiresAt],
  });
  return rowCount === 1;
}
