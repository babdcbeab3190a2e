/** Everything the emulator knows, in one place: what the parts share and what `reset` forgets. */
import type { EmulatorConfig } from './config.ts';
import type { FaultBook } from './faults/book.ts';
import type { Board } from './time/board.ts';
import type { Cancel, Clock } from './time/clock.ts';
import type { LegKind, PersonView, PhoneBehaviour, RestLogEntry, TimelineEventName, WebhookLogEntry } from './views.ts';

/** What is at the far end of a voice leg: a simulated person, or the video platform's SIP gateway. */
export interface Party {
  personId?: string;
  /** The video session a SIP gateway bridges in. */
  sessionId?: string;
  note(event: TimelineEventName, detail?: { text?: string; conversation?: string; reason?: string }): void;
}

export interface Membership {
  startOnEnter: boolean;
  endOnExit: boolean;
  muted: boolean;
  canSpeak?: string[];
  canHear?: string[];
  /** What it hears until the conversation begins. */
  holdMusic?: string | undefined;
}

export interface Conversation {
  uuid: string;
  applicationId: string;
  name?: string;
  members: Map<Leg, Membership>;
}

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
  endpointType: 'phone' | 'sip';
  from: string;
  to: string;
  conversation: Conversation;
  status: string;
  createdAt: number;
  answeredAt?: number;
  endedAt?: number;
  endReason?: string;
  party: Party;
  /** The video side let go of a call that still rings: nobody will ever answer it (design §2). */
  orphaned: boolean;
  muted: boolean;
  earmuffed: boolean;
  eventHook?: HookTarget;
  lengthMs?: number;
  /** Where single digits go (asynchronous input, or a REST subscription). */
  digitHook?: HookTarget;
  keys: { buffer: string; bargeIn: boolean; listener?: (digit: string) => void; wake?: () => void };
  run?: AbortController;
  timers: Set<Cancel>;
  /** Aborts when the leg ends. */
  over: AbortController;
  /** Events go out one after the other unless a fault says otherwise. */
  eventChain: Promise<void>;
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
  /** All that ever were; the live ones have no endedAt. */
  connections: Map<string, VideoConnection>;
  /** When the first publisher came: participant minutes start then (contract §7). */
  publishedAt?: number;
  callbackChain: Promise<void>;
}

export interface Person extends PersonView {
  leg: Leg;
  /** A phone that rings is picked up now. */
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

export interface World {
  config: EmulatorConfig;
  readonly clock: Clock;
  readonly board: Board;
  readonly faults: FaultBook;
  /** Random ids: `crypto.randomUUID` at the edge. */
  readonly newId: () => string;
  readonly legs: Map<string, Leg>;
  readonly conversations: Map<string, Conversation>;
  readonly sessions: Map<string, VideoSession>;
  readonly archives: Map<
    string,
    { id: string; account: string; sessionId: string; status: string; name?: string; createdAt: number }
  >;
  readonly callbacks: RegisteredCallback[];
  readonly people: Map<string, Person>;
  readonly phones: Map<string, PhoneBehaviour>;
  readonly webhookLog: WebhookLogEntry[];
  readonly restLog: RestLogEntry[];
  /** Times of recent requests by an account's API key, for the rate limits. */
  readonly recent: Map<string, { calls: number[]; requests: number[] }>;
  lastJti?: string;
  /** Webhooks held back by a reorder fault. */
  readonly held: (() => void)[];
  sequence: number;
  /** Left behind by a reset or a close: sends nothing more. */
  over: boolean;
}

/** Keeps the newest lines: a soak run must not eat the machine. */
export function append<T>(log: T[], entry: T, most = 20_000): T {
  log.push(entry);
  if (log.length > most * 1.1) log.splice(0, log.length - most);
  return entry;
}

/** Digits only: the wire writes numbers without "+". */
export const digitsOf = (number: string): string => number.replace(/^\+/, '').replace(/[\s()-]/g, '');

/** The time that tokens and `iat` are measured in. */
export const credentialNow = (world: World, wall: number): number =>
  world.config.behaviour.credentialTime === 'wall' ? wall : world.clock.now();
