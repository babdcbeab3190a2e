import type { ProviderRegion } from '@partyline/domain/provider-region';

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
    /** The region of the application; absent: the platform's host. */
    readonly region?: ProviderRegion | undefined;
    /** The account's own SIP domain and its digest user; absent: the gateway of all accounts. */
    readonly sip?: { readonly domain: string; readonly username: string; readonly password: string } | undefined;
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
