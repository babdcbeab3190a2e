/** The emulator's state. `reset` replaces it, except for the configuration. */
import type { EmulatorConfig } from './config.ts';
import type { FaultInjector } from './faults/injector.ts';
import type { ChangeNotifier } from './time/change-notifier.ts';
import type { Cancel, Clock } from './time/clock.ts';
import type { LegKind, PersonView, PhoneBehaviour, RestLogEntry, TimelineEventName, WebhookLogEntry } from './views.ts';

/** The far end of a voice leg: a simulated person, or the video platform's SIP gateway. */
export interface Party {
  personId?: string;
  /** The video session that the SIP gateway bridges to. */
  sessionId?: string;
  recordEvent(event: TimelineEventName, detail?: { text?: string; conversation?: string; reason?: string }): void;
}

export interface Membership {
  startOnEnter: boolean;
  endOnExit: boolean;
  muted: boolean;
  canSpeak?: string[];
  canHear?: string[];
  /** Played to the member until the conversation starts. */
  holdMusic?: string | undefined;
}

export interface Conversation {
  uuid: string;
  applicationId: string;
  name?: string;
  members: Map<Leg, Membership>;
}

/** Kinds of endpoints that a call comes from or goes to (contract §3, §4). */
export type EndpointType = 'phone' | 'sip' | 'websocket' | 'vbc' | 'app';

export interface HookTarget {
  url: string;
  method: 'GET' | 'POST';
}

/** A voice leg (one call uuid). */
export interface Leg {
  uuid: string;
  kind: LegKind;
  applicationId: string;
  direction: 'inbound' | 'outbound';
  endpointType: EndpointType;
  from: string;
  to: string;
  conversation: Conversation;
  status: string;
  createdAt: number;
  answeredAt?: number;
  endedAt?: number;
  endReason?: string;
  party: Party;
  /** The video side disconnected while this leg rang: it is never answered. */
  isAbandoned: boolean;
  muted: boolean;
  earmuffed: boolean;
  eventHook?: HookTarget;
  lengthMs?: number;
  /** Receives single digits (asynchronous input, or a REST subscription). */
  digitHook?: HookTarget;
  keys: { buffer: string; bargeIn: boolean; listener?: (digit: string) => void; onKey?: () => void };
  nccoController?: AbortController;
  timers: Set<Cancel>;
  /** Aborts when the leg ends. */
  endController: AbortController;
  /** Sends the leg's events in order, unless a fault delays one. */
  eventQueue: Promise<void>;
  lastEventAt?: number;
  /** Recordings that end with the leg. */
  recordings: Set<() => void>;
}

export interface SipCall {
  id: string;
  state: 'DIALING' | 'RINGING' | 'ACTIVE' | 'ENDED';
  createdAt: number;
  activeAt?: number;
  to: string;
  from: string;
  headers: Record<string, string>;
  leg?: Leg;
  mediaFlowing: boolean;
  timers: Set<Cancel>;
  stopMediaTimer?: Cancel;
}

/** A connection in a video session: a browser or a SIP call. */
export interface VideoConnection {
  id: string;
  kind: 'webrtc' | 'sip';
  sessionId: string;
  data: string;
  createdAt: number;
  endedAt?: number;
  endReason?: string;
  stream?: { id: string; name: string; createdAt: number; muted: boolean; layoutClassList: string[] };
  sip?: SipCall;
}

export interface VideoSession {
  id: string;
  account: string;
  routed: boolean;
  archiveMode: string;
  createdAt: number;
  /** All connections since the session was created. Live ones have no endedAt. */
  connections: Map<string, VideoConnection>;
  /** Time of the first stream: participant minutes start then (contract §7). */
  publishedAt?: number;
  callbackQueue: Promise<void>;
}

export interface Person extends PersonView {
  leg: Leg;
  /** Answers the ringing phone now. */
  pickUp?: () => void;
}

interface RegisteredCallback {
  id: string;
  account: string;
  group: string;
  event: string;
  url: string;
  createdAt: number;
}

/** An archive of a video session, without media. */
export interface Archive {
  id: string;
  account: string;
  sessionId: string;
  status: string;
  createdAt: number;
  endedAt?: number;
  name?: string | undefined;
  hasAudio: boolean;
  hasVideo: boolean;
  outputMode: 'composed' | 'individual';
  streamMode: 'auto' | 'manual';
  resolution?: string | undefined;
  multiArchiveTag?: string | undefined;
  layout?: { type: string; stylesheet?: string | undefined } | undefined;
  /** With streamMode `manual`. */
  streams: { streamId: string; hasAudio: boolean; hasVideo: boolean }[];
}

/** A recording that `GET /v1/files/:id` serves. */
export interface Recording {
  applicationId: string;
  format: 'mp3' | 'wav' | 'ogg';
  size: number;
}

export interface World {
  config: EmulatorConfig;
  /** Where the emulator listens; the host of recordings. */
  baseUrl: string;
  readonly recordings: Map<string, Recording>;
  readonly clock: Clock;
  readonly changes: ChangeNotifier;
  readonly faults: FaultInjector;
  readonly newId: () => string;
  readonly legs: Map<string, Leg>;
  readonly conversations: Map<string, Conversation>;
  readonly sessions: Map<string, VideoSession>;
  readonly archives: Map<string, Archive>;
  readonly callbacks: RegisteredCallback[];
  readonly people: Map<string, Person>;
  readonly phones: Map<string, PhoneBehaviour>;
  readonly webhookLog: WebhookLogEntry[];
  readonly restLog: RestLogEntry[];
  /** Times (ms) of recent requests, by account API key, for the rate limits. */
  readonly recentRequests: Map<string, { calls: number[]; requests: number[] }>;
  lastJti?: string;
  /** Release functions of the webhooks that a reorder fault delays. */
  readonly delayedWebhooks: (() => void)[];
  sequence: number;
  /** Set by a reset or a close. A closed world sends no webhooks. */
  isClosed: boolean;
}

/** Appends to a log and drops the oldest entries, so that a soak run has bounded memory. */
export function appendToLog<T>(log: T[], entry: T, maxEntries = 20_000): T {
  log.push(entry);
  if (log.length > maxEntries * 1.1) log.splice(0, log.length - maxEntries);
  return entry;
}

/** Removes "+", spaces, hyphens and parentheses: Vonage writes numbers as digits only. */
export const toDigits = (number: string): string => number.replace(/^\+/, '').replace(/[\s()-]/g, '');

/** The time (ms) that token expiry and `iat` use: wall time, or the emulator's clock. */
export const getCredentialTimeMs = (world: World, wallTimeMs: number): number =>
  world.config.behaviour.credentialTime === 'wall' ? wallTimeMs : world.clock.now();
