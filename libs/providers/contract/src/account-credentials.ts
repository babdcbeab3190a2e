import type { ProviderRegion } from '@partyline/domain/provider-region';

/**
 * Credentials of a tenant's account at Vonage. They cover voice and video, because the bridge's SIP
 * call connects the two. Never logged, and never part of an error.
 */
export interface VonageCredentials {
  readonly voice: {
    readonly kind: 'vonage';
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

/** A SIP trunk to which calls are placed. */
export interface TrunkCredentials {
  /** Host name or IPv4 address, with or without a port. */
  readonly host: string;
  readonly transport: 'udp' | 'tcp' | 'tls';
  /** Digest credentials; absent: the trunk accepts the address of our SIP edge. */
  readonly username?: string | undefined;
  readonly password?: string | undefined;
}

/** A tenant's account at our own gateways, which have no secrets of the tenant but its trunk's. */
export interface SipCredentials {
  readonly voice: {
    readonly kind: 'sip';
    /** Absent: the account places no calls. */
    readonly trunk?: TrunkCredentials | undefined;
    /** The IP addresses from which the trunk calls. */
    readonly addresses: readonly string[];
  };
  readonly video: { readonly kind: 'janus' };
}

/** Credentials of a tenant's own account, for voice and video. */
export type AccountCredentials = VonageCredentials | SipCredentials;

export const isSip = (credentials: AccountCredentials): credentials is SipCredentials =>
  credentials.voice.kind === 'sip';

/**
 * Secrets from before a rotation. Webhooks signed with them are accepted until the rotation is
 * complete.
 */
export type PreviousSecrets = { readonly signatureSecret: string; readonly callbackSecret: string };
