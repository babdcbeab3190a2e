import type { MediaEvent } from './provider-event.ts';
import type { Callback, CallbackVerification } from './callback.ts';

/** What a media provider can do. Callers ask the flag, never the name; what is absent is `refused`, reason `unsupported`. */
export interface MediaCapabilities {
  /** Can a SIP call be dialled out of the video session (the bridge leg)? */
  readonly sipDial: boolean;
  /** Does it report its SIP calls (ringing, active, over), or only the connection? */
  readonly sipMonitoring: boolean;
  /** Can its live connections be listed, so that a lost callback can be made good? */
  readonly listConnections: boolean;
  /** Can one connection be muted? */
  readonly mute: boolean;
}

export interface SipDial {
  readonly mediaSessionId: string;
  /** The number to call, E.164; it leads back to our own answer webhook. */
  readonly number: string;
  /** Custom headers; each name starts with `X-`. They reach the answer webhook. */
  readonly headers: Readonly<Record<string, string>>;
  /** Travels as the connection's data, so that an answer that we never saw still names its leg. At most 1000 characters. */
  readonly data: string;
  readonly expiresAt: Date;
}

/** What the browser needs beside the token. Holds no secret. */
export interface ClientConfig {
  readonly kind: string;
  /** OpenTok API key, or the unified application id. */
  readonly application: string;
}

/**
 * A video vendor. Built fresh per provider account; owns its credentials. Every method settles within the account's timeout and throws
 * only `ProviderError`.
 */
export interface MediaProvider {
  readonly kind: string;
  readonly capabilities: MediaCapabilities;
  readonly clientConfig: ClientConfig;
  /** Opens a routed session; makes nobody connect and costs nothing. */
  openSession(): Promise<{ mediaSessionId: string }>;
  /** A client token for one person. Signed locally, no request. `data` is at most 1000 characters. */
  issueToken(input: { mediaSessionId: string; data: string; expiresAt: Date }): string;
  /**
   * Dials the bridge leg. Settles as soon as the vendor has taken the request, before anything rings: the outcome comes by callback.
   * After `unknown` do not dial again; look the connection up by its data.
   */
  dialSip(input: SipDial): Promise<{ connectionId: string; sipCallId: string }>;
  /** Asks for a connection (a browser, or the bridge's media side) to be closed. Accepted is not closed. */
  disconnect(input: { mediaSessionId: string; connectionId: string }): Promise<void>;
  /** Mutes a connection, or lets it speak again. */
  mute(input: { mediaSessionId: string; connectionId: string; muted: boolean }): Promise<void>;
  /** Connections the vendor says are live now, with the data they were made with (absent where the vendor does not tell). */
  listConnections(mediaSessionId: string): Promise<readonly { connectionId: string; data?: string }[]>;
  /** Checks a session- or SIP-monitoring callback in full; see `Verified`. */
  verifyCallback(callback: Callback, now: Date): CallbackVerification;
  /** The facts in a verified callback; unknown events give `{ kind: 'unknown' }`, never an error. */
  parseCallback(body: unknown): MediaEvent;
}
