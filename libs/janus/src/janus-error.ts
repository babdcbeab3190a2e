/**
 * - `rejected`: Janus or a plugin answered with an error; `code` is Janus' code.
 * - `timed-out`: Janus did not answer in time; whether it executed the request is unknown.
 * - `closed`: the connection closed before the answer; the outcome is unknown.
 * - `detached`: the handle no longer exists.
 * - `unreachable`: the WebSocket could not be opened.
 * - `invalid`: the request was not sent, because Janus would cut or misread one of its fields.
 * - `unexpected`: Janus answered in a shape that this client does not know.
 */
export type JanusErrorKind =
  'rejected' | 'timed-out' | 'closed' | 'detached' | 'unreachable' | 'invalid' | 'unexpected';

/**
 * A failed request to Janus. The message names the request and Janus' code and reason; it holds no
 * secrets, and SIP addresses and numbers are masked.
 */
export class JanusError extends Error {
  readonly kind: JanusErrorKind;
  /** The request, e.g. `attach` or `sip.call`. */
  readonly request: string;
  /** Janus' error code, e.g. 458 (no such session) or 486 (AudioBridge: the room exists). Only if `rejected`. */
  readonly code: number | undefined;

  constructor(kind: JanusErrorKind, request: string, message: string, code?: number) {
    super(message);
    this.name = 'JanusError';
    this.kind = kind;
    this.request = request;
    this.code = code;
  }
}

/** Returns the error for an answer of Janus with a code and a reason. */
export function rejected(request: string, code: number | undefined, reason: string | undefined): JanusError {
  const text = maskReason(reason ?? 'no reason given');
  return new JanusError('rejected', request, `Janus rejected ${request} (${code ?? 'no code'}): ${text}`, code);
}

const MAX_REASON_LENGTH = 160;

/** Masks SIP addresses and long numbers, which may be phone numbers, PINs or ids. */
function maskReason(reason: string): string {
  return reason
    .replaceAll(/sips?:[^\s>)]+/giu, 'sip:…')
    .replaceAll(/\+?\d{5,}/gu, '…')
    .replaceAll(/\s+/gu, ' ')
    .trim()
    .slice(0, MAX_REASON_LENGTH);
}
