import type { MediaEvent } from './provider-event.ts';
import type { Callback, CallbackVerification } from './callback.ts';

/**
 * Capabilities of a media provider. Code checks the flag, never the provider's name. An unsupported
 * operation fails as `refused`, with the reason `unsupported`.
 */
export interface MediaCapabilities {
  /** SIP calls can be dialled from the video session (the bridge leg). */
  readonly sipDial: boolean;
  /** SIP calls are reported (ringing, active, over), not only the connection. */
  readonly sipMonitoring: boolean;
  /** Live connections can be listed, which recovers from a lost callback. */
  readonly listConnections: boolean;
  /** A single connection can be muted. */
  readonly mute: boolean;
}

export interface SipDial {
  readonly mediaSessionId: string;
  /** The number to call, E.164. It leads to our own answer webhook. */
  readonly number: string;
  /** Custom headers; each name starts with `X-`. They reach the answer webhook. */
  readonly headers: Readonly<Record<string, string>>;
  /**
   * Stored as the connection's data, so that the leg is known even when the reply to the dial is
   * lost. At most 1000 characters.
   */
  readonly data: string;
  readonly expiresAt: Date;
}

/** A live connection of a video session, as a list shows it. */
export interface ListedConnection {
  readonly connectionId: string;
  /** By the provider's clock; null where the list has no usable time. */
  readonly createdAt: Date | null;
  /** The connection data, where the list has it. */
  readonly data?: string;
}

/** Settings that the browser needs in addition to the token. Contains no secret. */
export interface ClientConfig {
  readonly kind: string;
  /** OpenTok API key, the unified application id, or the WebSocket URL of our own gateways. */
  readonly application: string;
}

/**
 * A video provider for one provider account. Every method settles within the account's timeout and
 * throws only `ProviderError`.
 */
export interface MediaProvider {
  readonly kind: string;
  readonly capabilities: MediaCapabilities;
  readonly clientConfig: ClientConfig;
  /**
   * Opens a routed session. Opening is free of charge and connects no participant. A provider whose
   * browsers join the voice conference itself returns `conversation` as the id: such a session needs
   * no bridge leg.
   * @param input.conversation the name of the session's voice conference
   */
  openSession(input: { conversation: string }): Promise<{ mediaSessionId: string }>;
  /**
   * Signs a client token for one participant, locally and without a request. `data` has at most
   * 1000 characters. `startsConference`: callers who wait for the host stop waiting when this
   * browser joins, where no bridge leg does that.
   */
  issueToken(input: { mediaSessionId: string; data: string; expiresAt: Date; startsConference?: boolean }): string;
  /**
   * Dials the bridge leg. Settles when the provider has accepted the request, before the call
   * rings; the outcome arrives by callback. After `unknown`, do not dial again: look the connection
   * up by its data.
   */
  dialSip(input: SipDial): Promise<{ connectionId: string; sipCallId: string }>;
  /**
   * Requests the closing of a connection (a browser, or the media handle of the bridge). Accepted
   * does not mean closed.
   */
  disconnect(input: { mediaSessionId: string; connectionId: string }): Promise<void>;
  /** Mutes or unmutes a connection. */
  mute(input: { mediaSessionId: string; connectionId: string; muted: boolean }): Promise<void>;
  /** Lists the live connections. */
  listConnections(mediaSessionId: string): Promise<readonly ListedConnection[]>;
  /** Verifies a session- or SIP-monitoring callback; see `CallbackVerification`. */
  verifyCallback(callback: Callback, now: Date): CallbackVerification;
  /** Parses a verified callback. An unknown event gives `{ kind: 'unknown' }`, never an error. */
  parseCallback(body: unknown): MediaEvent;
}
