/** What the control API shows: the shapes that `control-client.ts` returns. Imports nothing but the fault names. */
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

/** One thing that happened to a simulated person. `seq` counts per person from 1. */
export interface TimelineEvent {
  seq: number;
  /** Emulator time, ms since 1970. */
  at: number;
  event: TimelineEventName;
  /** Talk text (heard, prompt), digits (keyed, dtmf-heard). */
  text?: string;
  /** Conversation name (joined, waiting, left). */
  conversation?: string;
  /** Why it ended. */
  reason?: string;
}

/** A caller, or one ringing of a phone. */
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

/** How a number behaves when it is rung. */
export interface PhoneBehaviour {
  /** no-answer rings until the ringing timer; unavailable is 480 at once; failed is 404 at once. */
  mode: 'answer' | 'busy' | 'reject' | 'no-answer' | 'machine' | 'unavailable' | 'failed';
  /** Delay before it answers (or is busy, or rejects). Default: timings.phoneAnswerMs. */
  afterMs?: number;
  /** Hangs up by itself this long after it answered. */
  hangUpAfterMs?: number;
}

export interface PhoneView {
  number: string;
  behaviour: PhoneBehaviour;
  /** Newest last. */
  calls: PersonView[];
}

export type LegKind = 'voice-inbound' | 'voice-outbound' | 'voice-sip' | 'sip-interconnect' | 'webrtc';

export interface LedgerLeg {
  /** Call uuid, or connection id. */
  id: string;
  kind: LegKind;
  /** Application id or project key that pays. */
  account: string;
  /** API key of the vendor's account that this belongs to. */
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
  /** Legs without an end, ringing ones too. */
  up: number;
  totalMicros: number;
}

export interface ConversationView {
  uuid: string;
  applicationId: string;
  name?: string;
  /** False while everyone waits for a leg with startOnEnter. */
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
    /** Call ids that hear it, and that it hears; absent: all. Told, not played: the emulator has no sound. */
    canSpeak?: string[] | undefined;
    canHear?: string[] | undefined;
    /** The video session that this member's SIP leg bridges in. */
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
  /** Fault that was played on this attempt. */
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
  /** Application id or project key that asks, by what its token says; absent without a token. */
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
  /** Application id or project key that asked: requests only. */
  account?: string;
  /** Substring of the address. */
  url?: string;
  status?: number;
}
