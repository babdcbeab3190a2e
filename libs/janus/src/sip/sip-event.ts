import { readBoolean, readNumber, readText, readTexts, type JsonObject } from '../read-json.ts';
import type { Jsep } from '../transport/core-event.ts';
import { parseDtmfInfo } from './dtmf-info.ts';

/** SIP headers by name. Janus passes only those whose prefix was registered (`incomingHeaderPrefixes`). */
export type SipHeaders = Readonly<Record<string, string>>;

interface IncomingCall {
  /** SIP URI of the caller. */
  readonly caller: string;
  /** SIP URI that was called. */
  readonly callee: string | undefined;
  readonly displayName: string | undefined;
  readonly headers: SipHeaders;
  /** The transferor, if the call is the result of a transfer. */
  readonly referredBy: string | undefined;
  /** Call-ID of the call that this one replaces, in an attended transfer. */
  readonly replaces: string | undefined;
  readonly srtp: 'sdes_optional' | 'sdes_mandatory' | undefined;
  /** The caller is a conference server (RFC 4579). */
  readonly isFocus: boolean;
  /** The caller's offer. Undefined for an INVITE without SDP: then accept with an offer of ours. */
  readonly jsep: Jsep | undefined;
}

type SipEventBody =
  // Registration.
  | {
      readonly type: 'registered';
      readonly username: string | undefined;
      readonly isRegisterSent: boolean;
      readonly isHelper: boolean;
      readonly masterId: number | undefined;
      readonly headers: SipHeaders;
    }
  | { readonly type: 'unregistered'; readonly username: string | undefined }
  /** SIP's code; 904 for credentials that the registrar rejected. */
  | {
      readonly type: 'registration-failed';
      readonly code: number;
      readonly reason: string;
      readonly headers: SipHeaders;
    }
  // Incoming calls.
  | ({ readonly type: 'incoming-call' } & IncomingCall)
  /** A call that found the handle and its helpers busy. Janus answered it with 486. */
  | {
      readonly type: 'missed-call';
      readonly caller: string | undefined;
      readonly callee: string | undefined;
      readonly displayName: string | undefined;
    }
  // Outgoing calls.
  | { readonly type: 'proceeding'; readonly code: number | undefined }
  | { readonly type: 'ringing'; readonly headers: SipHeaders }
  /** Early media (183 with SDP). The later `accepted` has no answer then. */
  | {
      readonly type: 'progress';
      readonly username: string | undefined;
      readonly headers: SipHeaders;
      readonly jsep: Jsep | undefined;
    }
  // Both.
  /** The call is established. `jsep` is the answer to a call or update of ours, or to an offer of ours in `accept`. */
  | {
      readonly type: 'accepted';
      readonly username: string | undefined;
      readonly headers: SipHeaders;
      readonly isFocus: boolean;
      readonly jsep: Jsep | undefined;
    }
  /** A re-INVITE that the application must answer with `update`; only with `autoAcceptReinvites: false`. */
  | ({ readonly type: 'updating-call' } & IncomingCall)
  /**
   * The call ended: 200 after a BYE, else SIP's final code. Without `callId` it belongs to no call
   * of this handle: a busy handle reports 486 for each call that it missed. Ignore it then.
   */
  | {
      readonly type: 'hangup';
      readonly code: number;
      readonly reason: string;
      readonly reasonHeader:
        | {
            readonly protocol: string | undefined;
            readonly cause: string | undefined;
            readonly text: string | undefined;
          }
        | undefined;
      readonly headers: SipHeaders;
    }
  /** A REFER. Follow it by `call` with `referId` on a free handle, or decline it. */
  | {
      readonly type: 'transfer';
      readonly referId: number;
      readonly referTo: string;
      readonly referredBy: string | undefined;
      readonly replaces: string | undefined;
      readonly headers: SipHeaders;
    }
  // Messages.
  /** A digit by SIP INFO, `application/dtmf-relay` or `application/dtmf`. */
  | { readonly type: 'dtmf-info'; readonly digit: string; readonly durationMs: number | undefined }
  /** A digit by RTP (RFC 4733). Janus reports it from 1.2.1 on; before, find it in the RTP packets. */
  | { readonly type: 'dtmf-rtp'; readonly digit: string; readonly duration: number | undefined }
  | {
      readonly type: 'info';
      readonly sender: string | undefined;
      readonly displayName: string | undefined;
      readonly contentType: string;
      readonly content: string;
      readonly headers: SipHeaders;
    }
  | {
      readonly type: 'message';
      readonly sender: string | undefined;
      readonly displayName: string | undefined;
      readonly contentType: string | undefined;
      readonly content: string;
      readonly headers: SipHeaders;
    }
  | { readonly type: 'message-delivery'; readonly code: number; readonly reason: string }
  // Subscriptions.
  | {
      readonly type: 'subscribe-succeeded';
      readonly code: number;
      readonly reason: string;
      readonly expires: number | undefined;
      readonly headers: SipHeaders;
    }
  | { readonly type: 'subscribe-failed'; readonly code: number; readonly reason: string; readonly headers: SipHeaders }
  /** `name` is the event package, e.g. `message-summary`, or `refer` for the progress of a transfer of ours. */
  | {
      readonly type: 'notify';
      readonly name: string | undefined;
      readonly state: string | undefined;
      readonly contentType: string | undefined;
      readonly content: string;
      readonly headers: SipHeaders;
    }
  /** The plugin took a request of ours; `declining` carries the code. `hanging-up` also comes when the peer connection is lost. */
  | { readonly type: Acknowledgement }
  /** The plugin rejected a request that had already resolved, such as `hangup`. */
  | { readonly type: 'request-failed'; readonly code: number | undefined; readonly reason: string }
  /** A message that this client does not know. */
  | { readonly type: 'unknown'; readonly data: JsonObject };

/** Janus' names of the events that only acknowledge a request, and ours. */
const ACKNOWLEDGEMENTS = {
  registering: 'registering',
  unregistering: 'unregistering',
  calling: 'calling',
  accepting: 'accepting',
  updating: 'updating',
  updated: 'updated',
  declining: 'declining',
  hangingup: 'hanging-up',
  holding: 'holding',
  resuming: 'resuming',
  transferring: 'transferring',
  infosent: 'info-sent',
  dtmfsent: 'dtmf-sent',
  messagesent: 'message-sent',
  subscribing: 'subscribing',
  unsubscribing: 'unsubscribing',
  recordingupdated: 'recording-updated',
  keyframesent: 'keyframe-sent',
  reset: 'reset',
} as const;
type Acknowledgement = (typeof ACKNOWLEDGEMENTS)[keyof typeof ACKNOWLEDGEMENTS];

/** An event of Janus' SIP plugin. `callId` is the Call-ID of the SIP dialog that it belongs to. */
export type SipEvent = SipEventBody & { readonly callId: string | undefined };

/** Parses a message of the SIP plugin. Never throws: what it does not know becomes `unknown`. */
export function parseSipEvent(data: JsonObject, jsep: Jsep | undefined): SipEvent {
  const result = data.result;
  const body = isRecord(result) ? parseResult(result, jsep) : parseError(data);
  const callId = readText(data, 'call_id') ?? (isRecord(result) ? readText(result, 'call_id') : undefined);
  return { ...(body ?? { type: 'unknown', data }), callId };
}

const isRecord = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null;

function parseError(data: JsonObject): SipEventBody | undefined {
  const reason = readText(data, 'error');
  return reason === undefined ? undefined : { type: 'request-failed', code: readNumber(data, 'error_code'), reason };
}

function parseResult(result: JsonObject, jsep: Jsep | undefined): SipEventBody | undefined {
  const text = (field: string): string | undefined => readText(result, field);
  const headers = readTexts(result, 'headers');
  const failure = { code: readNumber(result, 'code') ?? 0, reason: text('reason') ?? '' };
  const event = text('event');
  switch (event) {
    case 'registered':
      return {
        type: 'registered',
        username: text('username'),
        isRegisterSent: readBoolean(result, 'register_sent') ?? false,
        isHelper: readBoolean(result, 'helper') ?? false,
        masterId: readNumber(result, 'master_id'),
        headers,
      };
    case 'unregistered':
      return { type: 'unregistered', username: text('username') };
    case 'registration_failed':
      return { type: 'registration-failed', ...failure, headers };
    case 'incomingcall':
    case 'updatingcall':
      return parseIncomingCall(event === 'incomingcall' ? 'incoming-call' : 'updating-call', result, jsep);
    case 'missed_call':
      return { type: 'missed-call', caller: text('caller'), callee: text('callee'), displayName: text('displayname') };
    case 'proceeding':
      return { type: 'proceeding', code: readNumber(result, 'code') };
    case 'ringing':
      return { type: 'ringing', headers };
    case 'progress':
      return { type: 'progress', username: text('username'), headers, jsep };
    case 'accepted':
      return {
        type: 'accepted',
        username: text('username'),
        headers,
        isFocus: readBoolean(result, 'isfocus') ?? false,
        jsep,
      };
    case 'hangup':
      return { type: 'hangup', ...failure, reasonHeader: parseReasonHeader(result), headers };
    case 'transfer': {
      const referId = readNumber(result, 'refer_id');
      const referTo = text('refer_to');
      if (referId === undefined || referTo === undefined) return undefined;
      return {
        type: 'transfer',
        referId,
        referTo,
        referredBy: text('referred_by'),
        replaces: text('replaces'),
        headers,
      };
    }
    case 'dtmf': {
      const digit = text('signal');
      if (digit === undefined) return undefined;
      return { type: 'dtmf-rtp', digit, duration: readNumber(result, 'duration') };
    }
    case 'info': {
      const contentType = text('type') ?? '';
      const content = text('content') ?? '';
      const dtmf = parseDtmfInfo(contentType, content);
      if (dtmf) return { type: 'dtmf-info', ...dtmf };
      return { type: 'info', sender: text('sender'), displayName: text('displayname'), contentType, content, headers };
    }
    case 'message':
      return {
        type: 'message',
        sender: text('sender'),
        displayName: text('displayname'),
        contentType: text('content_type'),
        content: text('content') ?? '',
        headers,
      };
    case 'messagedelivery':
      return { type: 'message-delivery', ...failure };
    case 'subscribe_succeeded':
      return { type: 'subscribe-succeeded', ...failure, expires: readNumber(result, 'expires'), headers };
    case 'subscribe_failed':
      return { type: 'subscribe-failed', ...failure, headers };
    case 'notify':
      return {
        type: 'notify',
        name: text('notify'),
        state: text('substate'),
        contentType: text('content-type'),
        content: text('content') ?? '',
        headers,
      };
    default:
      return event !== undefined && Object.hasOwn(ACKNOWLEDGEMENTS, event)
        ? { type: ACKNOWLEDGEMENTS[event as keyof typeof ACKNOWLEDGEMENTS] }
        : undefined;
  }
}

function parseIncomingCall<T extends 'incoming-call' | 'updating-call'>(
  type: T,
  result: JsonObject,
  jsep: Jsep | undefined,
): ({ readonly type: T } & IncomingCall) | undefined {
  const caller = readText(result, 'username');
  if (caller === undefined) return undefined;
  const srtp = readText(result, 'srtp');
  return {
    type,
    caller,
    callee: readText(result, 'callee'),
    displayName: readText(result, 'displayname'),
    headers: readTexts(result, 'headers'),
    referredBy: readText(result, 'referred_by'),
    replaces: readText(result, 'replaces'),
    srtp: srtp === 'sdes_optional' || srtp === 'sdes_mandatory' ? srtp : undefined,
    isFocus: readBoolean(result, 'isfocus') ?? false,
    jsep,
  };
}

function parseReasonHeader(result: JsonObject) {
  const header = {
    protocol: readText(result, 'reason_header_protocol'),
    cause: readText(result, 'reason_header_cause'),
    text: readText(result, 'reason_header'),
  };
  return Object.values(header).some((value) => value !== undefined) ? header : undefined;
}
