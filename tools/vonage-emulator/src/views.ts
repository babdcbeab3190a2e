/** Response types of the control API. Imports only the fault names. */
import type { RestKind, WebhookKind } from './faults/schema.ts';

export type TimelineEventName =
  | 'dialled'
  | 'ringing'
  | 'answered'
  | 'heard'
  | 'prompt'
  | 'keyed'
  | 'dtmf-heard'
  | 'joined'
  | 'waiting'
  | 'left'
  | 'muted'
  | 'unmuted'
  | 'earmuffed'
  | 'unearmuffed'
  | 'recorded'
  | 'ended';

/** One event of a simulated person. `seq` counts per person from 1. */
export interface TimelineEvent {
  seq: number;
  /** Emulator time, ms since 1970. */
  at: number;
  event: TimelineEventName;
  /** Talk text (heard, prompt), digits (keyed, dtmf-heard), or hold music (waiting). */
  text?: string;
  /** Conversation name (joined, waiting, left). */
  conversation?: string;
  /** Reason of the end. */
  reason?: string;
}

/** A caller, or one call to a phone. */
export interface PersonView {
  id: string;
  kind: 'caller' | 'phone';
  from: string;
  to: string;
  callId: string;
  state: 'ringing' | 'answered' | 'ended';
  conversation?: string;
  endReason?: string;
  timeline: TimelineEvent[];
}

/** Behaviour of a phone number when it is called. */
export interface PhoneBehaviour {
  /** `no-answer` rings until the ringing timer; `unavailable` ends with 480, `failed` with 404. */
  mode: 'answer' | 'busy' | 'reject' | 'no-answer' | 'machine' | 'unavailable' | 'failed';
  /** Delay before the phone answers, is busy or rejects. Default: timings.phoneAnswerMs. */
  afterMs?: number;
  /** Time from the answer until the phone hangs up. Default: never. */
  hangUpAfterMs?: number;
  /** Mode `machine`: time from the answer until the beep. Default: no beep. */
  beepAfterMs?: number;
  /** `detail` of a call that is not answered. Default: by the mode (contract §3). */
  detail?: string;
}

export interface PhoneView {
  number: string;
  behaviour: PhoneBehaviour;
  /** Oldest first. */
  calls: PersonView[];
}

export type LegKind = 'voice-inbound' | 'voice-outbound' | 'voice-sip' | 'sip-interconnect' | 'webrtc';

export interface LedgerLeg {
  /** Call uuid or connection id. */
  id: string;
  kind: LegKind;
  /** Application id or project key that is charged. */
  account: string;
  /** API key of the Vonage account that owns the application or project. */
  accountKey: string;
  sessionId?: string;
  callId?: string;
  connectionId?: string;
  conversation?: string;
  from?: string;
  to?: string;
  createdAt: number;
  answeredAt?: number;
  endedAt?: number;
  endReason?: string;
  billedSeconds: number;
  chargeMicros: number;
  currency: 'EUR';
}

export interface LedgerView {
  now: number;
  legs: LedgerLeg[];
  /** Number of legs that have not ended, including ringing ones. */
  up: number;
  totalMicros: number;
}

export interface ConversationView {
  uuid: string;
  applicationId: string;
  name?: string;
  /** False while all members wait for a leg with startOnEnter. */
  started: boolean;
  members: {
    callId: string;
    personId?: string;
    from: string;
    to: string;
    muted: boolean;
    earmuffed: boolean;
    startOnEnter: boolean;
    endOnExit: boolean;
    /** Call ids that hear this member. Absent: all. Reported only: the emulator has no audio. */
    canSpeak?: string[] | undefined;
    /** Call ids that this member hears. Absent: all. */
    canHear?: string[] | undefined;
    /** The video session that this member's SIP leg bridges to. */
    bridgedSessionId?: string;
  }[];
}

export interface VideoConnectionView {
  connectionId: string;
  streamId?: string;
  kind: 'webrtc' | 'sip';
  sessionId: string;
  data: string;
  createdAt: number;
  endedAt?: number;
  endReason?: string;
  muted: boolean;
  sipCall?: { id: string; state: string; callId?: string; to: string; headers: Record<string, string> };
}

export interface SessionView {
  sessionId: string;
  account: string;
  routed: boolean;
  createdAt: number;
  connections: VideoConnectionView[];
}

export interface WebhookLogEntry {
  seq: number;
  at: number;
  kind: WebhookKind;
  /** Voice status or video event name. */
  event?: string;
  attempt: number;
  method: string;
  url: string;
  headers: Record<string, string>;
  body: string;
  /** Faults applied to this attempt, comma-separated. */
  fault?: string;
  outcome: 'delivered' | 'refused' | 'timeout' | 'reset' | 'dropped' | 'pending';
  status?: number;
  response?: string;
  /** Wall-clock milliseconds. */
  ms?: number;
}

export interface RestLogEntry {
  seq: number;
  at: number;
  route: RestKind;
  /** Application id or project key claimed by the token. Absent without a token. */
  account?: string;
  method: string;
  url: string;
  headers: Record<string, string>;
  body?: unknown;
  /** Absent when no reply was sent. */
  status?: number;
  response?: unknown;
  fault?: string;
}

export interface LogQuery {
  /** Only entries with a greater seq. */
  after?: number;
  kind?: string;
  event?: string;
  route?: string;
  /** Application id or project key of the sender: requests only. */
  account?: string;
  /** Substring of the address. */
  url?: string;
  status?: number;
}
