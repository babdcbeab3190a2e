/** What a tenant's own account is opened with. Both sides, since the bridge's SIP leg leads from the one to the other. Never logged, and in no error. */
export interface AccountCredentials {
  readonly voice: {
    readonly kind: string;
    readonly apiKey: string;
    readonly apiSecret: string;
    readonly applicationId: string;
    /** PKCS#8, PEM. */ readonly privateKey: string;
    readonly signatureSecret: string;
  };
  /** With `unified` the video side is the application of the telephone side. */
  readonly video:
    { readonly kind: 'opentok'; readonly apiKey: string; readonly apiSecret: string } | { readonly kind: 'unified' };
  /** Signs the video side's callbacks. */
  readonly callbackSecret: string;
}

/** The secrets of the version before, by which webhooks are believed while a rotation goes round. */
export type PreviousSecrets = { readonly signatureSecret: string; readonly callbackSecret: string };
