/**
 * Credentials of a tenant's own account. They cover voice and video, because the bridge's SIP call
 * connects the two. Never logged, and never part of an error.
 */
export interface AccountCredentials {
  readonly voice: {
    readonly kind: string;
    readonly apiKey: string;
    readonly apiSecret: string;
    readonly applicationId: string;
    /** PKCS#8, PEM. */
    readonly privateKey: string;
    readonly signatureSecret: string;
  };
  /** With `unified`, the video account is the application of the voice account. */
  readonly video:
    { readonly kind: 'opentok'; readonly apiKey: string; readonly apiSecret: string } | { readonly kind: 'unified' };
  /** Signs the video callbacks. */
  readonly callbackSecret: string;
}

/**
 * Secrets from before a rotation. Webhooks signed with them are accepted until the rotation is
 * complete.
 */
export type PreviousSecrets = { readonly signatureSecret: string; readonly callbackSecret: string };
