/** A received webhook. It keeps the raw bytes, because the provider's hash covers them. */
export interface Callback {
  readonly authorization: string | undefined;
  readonly rawBody: Buffer;
}

/**
 * The result of verifying a webhook's signature. `jti` may be used once: the store rejects a second
 * use, in the transaction of the change that the webhook causes. `refused` names the failed check;
 * the webhook is answered 401 and changes nothing.
 */
export type CallbackVerification =
  | { readonly ok: true; readonly jti: string; readonly expiresAt: Date }
  | { readonly ok: false; readonly refused: RefusedCallback };

export type RefusedCallback =
  | 'unsigned'
  | 'malformed-token'
  | 'wrong-algorithm'
  | 'wrong-signature'
  | 'wrong-issuer'
  | 'wrong-account'
  | 'wrong-application'
  | 'wrong-audience'
  | 'stale'
  | 'expired'
  | 'not-yet-valid'
  | 'wrong-hash';
