/**
 * Client of the emulator's control API: what tests, demos and simulations use to play the people and to read
 * the ledger. Every `await…` is a long poll, so callers need no sleeps.
 */
import { accountPatch, callbacksPatch, type Callbacks, type NewAccount } from './accounts.ts';
import type { EmulatorConfig, EmulatorConfigPatch } from './config.ts';
import type { Faults, FaultsInput } from './faults/schema.ts';
import type {
  ConversationView,
  LedgerView,
  LegKind,
  LogQuery,
  PersonView,
  PhoneBehaviour,
  PhoneView,
  RestLogEntry,
  SessionView,
  TimelineEvent,
  TimelineEventName,
  VideoConnectionView,
  WebhookLogEntry,
} from './views.ts';

export type * from './views.ts';
export type { Callbacks, NewAccount } from './accounts.ts';
export type { Faults, FaultsInput } from './faults/schema.ts';
export type { EmulatorConfig, EmulatorConfigInput, EmulatorConfigPatch } from './config.ts';

export interface AwaitOptions {
  /** Wall-clock milliseconds; default 10 000. */
  timeoutMs?: number;
  /** Only events after this seq. Default: after the last event this client saw of that name for that person. */
  after?: number;
}

/** Narrows ledger questions. */
export interface LegFilter {
  kind?: LegKind;
  sessionId?: string;
  callId?: string;
  conversation?: string;
  /** Application id or project key. */
  account?: string;
  accountKey?: string;
}

/** The control API said no; an await ran out of time (408), or waits for someone whose call is over (410). */
export class EmulatorError extends Error {
  readonly status: number;
  readonly body: unknown;

  constructor(message: string, status: number, body: unknown) {
    super(message);
    this.name = 'EmulatorError';
    this.status = status;
    this.body = body;
  }
}

type Query = { [key: string]: string | number | undefined };

/** Talks to one running emulator. */
export class EmulatorClient {
  readonly baseUrl: string;
  private readonly seen = new Map<string, number>();

  constructor(baseUrl: string) {
    this.baseUrl = baseUrl.replace(/\/$/, '');
  }

  /** A person rings a linked number. Resolves as soon as the call exists, before it is answered. */
  dial(input: { from: string; to: string }): Promise<PersonView> {
    return this.call('POST', '/callers', input);
  }

  /** The caller with its whole timeline. Works for phones' calls too. */
  caller(id: string): Promise<PersonView> {
    return this.call('GET', `/callers/${id}`);
  }

  callers(): Promise<PersonView[]> {
    return this.call('GET', '/callers');
  }

  /** Until this person has the event; by default the next one that this client has not yet been given. */
  async awaitEvent(id: string, event: TimelineEventName, options: AwaitOptions = {}): Promise<TimelineEvent> {
    const cursor = `${id} ${event}`;
    const after = options.after ?? this.seen.get(cursor) ?? 0;
    const found = await this.poll<TimelineEvent>(`/callers/${id}/await`, { event, after }, options);
    this.seen.set(cursor, found.seq);
    return found;
  }

  /** Until keys would be taken: an input listens, or a prompt that may be barged into has begun. */
  awaitPrompt(id: string, options?: AwaitOptions): Promise<TimelineEvent> {
    return this.awaitEvent(id, 'prompt', options);
  }

  /** Until the person is in a named conversation. */
  awaitJoined(id: string, options?: AwaitOptions): Promise<TimelineEvent> {
    return this.awaitEvent(id, 'joined', options);
  }

  awaitAnswered(id: string, options?: AwaitOptions): Promise<TimelineEvent> {
    return this.awaitEvent(id, 'answered', options);
  }

  awaitEnded(id: string, options?: AwaitOptions): Promise<TimelineEvent> {
    return this.awaitEvent(id, 'ended', options);
  }

  /** The next thing said to the person. */
  awaitHeard(id: string, options?: AwaitOptions): Promise<TimelineEvent> {
    return this.awaitEvent(id, 'heard', options);
  }

  /** The person keys digits (0-9 * #). */
  key(id: string, digits: string): Promise<PersonView> {
    return this.call('POST', `/callers/${id}/key`, { digits });
  }

  /** Picks a ringing phone up now; for phones that let it ring (`no-answer`). */
  answer(id: string): Promise<PersonView> {
    return this.call('POST', `/callers/${id}/answer`, {});
  }

  hangUp(id: string): Promise<PersonView> {
    return this.call('POST', `/callers/${id}/hangup`, {});
  }

  /** How a number behaves the next times it is rung. */
  setPhone(number: string, behaviour: PhoneBehaviour): Promise<PhoneView> {
    return this.call('PUT', `/phones/${encodeURIComponent(number)}`, behaviour);
  }

  phone(number: string): Promise<PhoneView> {
    return this.call('GET', `/phones/${encodeURIComponent(number)}`);
  }

  /** Until the number has been rung `count` times (default once); gives the last call. */
  awaitRing(number: string, options: AwaitOptions & { count?: number } = {}): Promise<PersonView> {
    return this.poll(`/phones/${encodeURIComponent(number)}/await`, { count: options.count ?? 1 }, options);
  }

  /** A browser joins a video session with a client token. Publishes unless told not to. */
  joinWebrtc(input: {
    sessionId: string;
    token: string;
    publish?: boolean;
    name?: string;
  }): Promise<VideoConnectionView> {
    return this.call('POST', '/webrtc', input);
  }

  leaveWebrtc(
    connectionId: string,
    reason: 'clientDisconnected' | 'networkDisconnected' = 'clientDisconnected',
  ): Promise<void> {
    return this.call('DELETE', `/webrtc/${connectionId}`, undefined, { reason });
  }

  /** Until the connection (a browser's or a SIP leg's) is gone, whoever ended it. */
  awaitDisconnected(connectionId: string, options: AwaitOptions = {}): Promise<VideoConnectionView> {
    return this.poll(`/webrtc/${connectionId}/await`, {}, options);
  }

  sessions(): Promise<SessionView[]> {
    return this.call('GET', '/sessions');
  }

  /** Stops or starts the media of a SIP interconnect leg (five minutes without: it ends, contract §5). */
  setSipMedia(connectionId: string, flowing: boolean): Promise<void> {
    return this.call('PUT', `/sip/${connectionId}/media`, { flowing });
  }

  conversations(): Promise<ConversationView[]> {
    return this.call('GET', '/conversations');
  }

  /** Until the named conversation has exactly so many members. */
  awaitConversation(name: string, members: number, options: AwaitOptions = {}): Promise<ConversationView> {
    return this.poll('/conversations/await', { name, members }, options);
  }

  /** The oracle: every leg, whether it is up, what it costs. */
  ledger(filter: LegFilter = {}): Promise<LedgerView> {
    return this.call('GET', '/ledger', undefined, { ...filter });
  }

  /** Until exactly `n` legs are up (of those that match). */
  awaitLegsUp(n: number, options: AwaitOptions & LegFilter = {}): Promise<LedgerView> {
    const { kind, sessionId, callId, conversation, account, accountKey } = options;
    return this.poll('/ledger/await', { up: n, kind, sessionId, callId, conversation, account, accountKey }, options);
  }

  /** Replaces the whole fault document; what is left out goes back to its default. */
  setFaults(faults: FaultsInput): Promise<Faults> {
    return this.call('PUT', '/faults', faults);
  }

  faults(): Promise<Faults> {
    return this.call('GET', '/faults');
  }

  resetFaults(): Promise<Faults> {
    return this.call('DELETE', '/faults');
  }

  /** Virtual clock only: runs every timer that falls due, and waits for the webhooks they cause. */
  advanceClock(advanceMs: number): Promise<{ now: number }> {
    return this.call('POST', '/clock', { advanceMs });
  }

  clock(): Promise<{ mode: 'real' | 'virtual'; now: number; timers: number }> {
    return this.call('GET', '/clock');
  }

  webhookLog(query: LogQuery = {}): Promise<WebhookLogEntry[]> {
    return this.call('GET', '/webhooks', undefined, { ...query });
  }

  /** Until an attempt that matches is in the log and has its outcome. */
  awaitWebhook(query: LogQuery, options: AwaitOptions = {}): Promise<WebhookLogEntry> {
    return this.poll('/webhooks/await', { ...query }, options);
  }

  restLog(query: LogQuery = {}): Promise<RestLogEntry[]> {
    return this.call('GET', '/requests', undefined, { ...query });
  }

  awaitRequest(query: LogQuery, options: AwaitOptions = {}): Promise<RestLogEntry> {
    return this.poll('/requests/await', { ...query }, options);
  }

  config(): Promise<EmulatorConfig> {
    return this.call('GET', '/config');
  }

  /** Changes addresses, limits, rates and so on while running; lists merge by id, apiKey or e164. */
  putConfig(patch: EmulatorConfigPatch): Promise<EmulatorConfig> {
    return this.call('PUT', '/config', patch);
  }

  /** Adds a further account with its application, project, numbers and callback addresses; a second time: changes it. */
  addAccount(account: NewAccount): Promise<EmulatorConfig> {
    return this.putConfig(accountPatch(account));
  }

  /** Says where an account's webhooks go, once that is known. */
  setCallbacks(account: Pick<NewAccount, 'application' | 'project'>, callbacks: Callbacks): Promise<EmulatorConfig> {
    return this.putConfig(callbacksPatch(account, callbacks));
  }

  /** Forgets every call, session, person, log line and fault. Keeps the configuration. */
  async reset(): Promise<void> {
    this.seen.clear();
    await this.call('POST', '/reset', {});
  }

  private poll<T>(path: string, query: Query, options: AwaitOptions): Promise<T> {
    return this.call('GET', path, undefined, {
      after: options.after,
      ...query,
      timeout_ms: options.timeoutMs ?? 30_000,
    });
  }

  private async call<T>(method: string, path: string, body?: unknown, query: Query = {}): Promise<T> {
    const url = new URL(`${this.baseUrl}/emulator${path}`);
    for (const [key, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(key, String(value));
    const response = await fetch(url, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    const text = await response.text();
    const parsed: unknown = text === '' ? undefined : JSON.parse(text);
    if (!response.ok) throw new EmulatorError(`${method} ${path}: ${response.status} ${text}`, response.status, parsed);
    return parsed as T;
  }
}
