/** A webhook as it came in: the raw bytes, because the vendor's hash is over those. */
export interface Callback {
  readonly authorization: string | undefined;
  readonly rawBody: Buffer;
}

/**
 * The verdict on a webhook's signature. `jti` is to be used once: the store refuses it the second time, in the transaction that the
 * webhook changes something in. `refused` names the check that failed; it is answered 401 and changes nothing.
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
  | 'stale'
  | 'wrong-hash';
