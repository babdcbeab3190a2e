import type { Tx } from '../database/store.ts';

/* Platform-wide: a webhook is verified before its tenant is known. */

/** A webhook's signature token: usable once, and for how long it would be taken at all. */
export interface WebhookToken {
  /** The account whose secret signed it, null: the platform's. It speaks for what is at that account, and for nothing else. */
  readonly accountId: string | null;
  readonly jti: string;
  readonly expiresAt: Date;
}

/** Under which a token is taken as used: each account's for itself, so that nobody who signs can use up another's. */
export const tokenKey = ({ accountId, jti }: WebhookToken): string =>
  accountId === null ? jti : `${accountId}:${jti}`;

/** Takes a webhook's token id for good; `false` when it was used before. In the transaction of the change that the webhook makes. */
export async function consumeToken(tx: Tx, token: WebhookToken): Promise<boolean> {
  const { rowCount } = await tx.query({
    name: 'use-webhook-token',
    text: 'INSERT INTO webhook_jti (jti, expires_at) VALUES ($1, $2) ON CONFLICT DO NOTHING',
    values: [tokenKey(token), token.expiresAt],
  });
  return rowCount === 1;
}
