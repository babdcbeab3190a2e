/**
 * Client of the emulator's control API: tests and demos use it to simulate people and read the
 * ledger. Every `await*` method is a long poll that rejects with status 408 at its timeout.
 */
import { buildAccountPatch, buildCallbacksPatch, type CallbackUrls, type NewAccount } from './accounts.ts';
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
export type { CallbackUrls, NewAccount } from './accounts.ts';
export type { Faults, FaultsInput } from './faults/schema.ts';
export type { EmulatorConfig, EmulatorConfigInput, EmulatorConfigPatch } from './config.ts';

export interface AwaitOptions {
  /** Wall-clock milliseconds. Default: 30 000. */
  timeoutMs?: number;
  /** Only events after this seq. Default: after the last such event that this client received. */
  after?: number;
}

/** Selects legs of the ledger. */
export interface LegFilter {
  kind?: LegKind;
  sessionId?: string;
  callId?: string;
  conversation?: string;
  /** Application id or project key. */
  account?: string;
  accountKey?: string;
}

/** An error reply of the control API. Await: 408 at the timeout, 410 after the end of the call. */
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

/** Client of one running emulator. */
export class EmulatorClient {
  readonly baseUrl: string;
  private readonly lastSeqByEvent = new Map<string, number>();

  constructor(baseUrl: string) {
    this.baseUrl = baseUrl.replace(/\/$/, '');
  }

  /** Calls a linked number. Resolves as soon as the call exists, before it is answered. */
  dial(input: { from: string; to: string }): Promise<PersonView> {
    return this.request('POST', '/callers', input);
  }

  /** Returns a caller, or one call to a phone, with its timeline. */
  caller(id: string): Promise<PersonView> {
    return this.request('GET', `/callers/${id}`);
  }

  callers(): Promise<PersonView[]> {
    return this.request('GET', '/callers');
  }

  /** Waits for an event of a person: by default the next one that this client has not received. */
  async awaitEvent(id: string, event: TimelineEventName, options: AwaitOptions = {}): Promise<TimelineEvent> {
    const cursor = `${id} ${event}`;
    const after = options.after ?? this.lastSeqByEvent.get(cursor) ?? 0;
    const found = await this.longPoll<TimelineEvent>(`/callers/${id}/await`, { event, after }, options);
    this.lastSeqByEvent.set(cursor, found.seq);
    return found;
  }

  /** Waits until digits are accepted: an input runs, or a prompt with bargeIn has started. */
  awaitPrompt(id: string, options?: AwaitOptions): Promise<TimelineEvent> {
    return this.awaitEvent(id, 'prompt', options);
  }

  /** Waits until the person is in a named conversation. */
  awaitJoined(id: string, options?: AwaitOptions): Promise<TimelineEvent> {
    return this.awaitEvent(id, 'joined', options);
  }

  awaitAnswered(id: string, options?: AwaitOptions): Promise<TimelineEvent> {
    return this.awaitEvent(id, 'answered', options);
  }

  awaitEnded(id: string, options?: AwaitOptions): Promise<TimelineEvent> {
    return this.awaitEvent(id, 'ended', options);
  }

  /** Waits for the next talk or stream to the person. */
  awaitHeard(id: string, options?: AwaitOptions): Promise<TimelineEvent> {
    return this.awaitEvent(id, 'heard', options);
  }

  /** Keys digits (0-9 * #). */
  key(id: string, digits: string): Promise<PersonView> {
    return this.request('POST', `/callers/${id}/key`, { digits });
  }

  /** Answers a ringing phone now, for phones with the mode `no-answer`. */
  answer(id: string): Promise<PersonView> {
    return this.request('POST', `/callers/${id}/answer`, {});
  }

  hangUp(id: string): Promise<PersonView> {
    return this.request('POST', `/callers/${id}/hangup`, {});
  }

  /** Sets the behaviour of a phone number for later calls. */
  setPhone(number: string, behaviour: PhoneBehaviour): Promise<PhoneView> {
    return this.request('PUT', `/phones/${encodeURIComponent(number)}`, behaviour);
  }

  phone(number: string): Promise<PhoneView> {
    return this.request('GET', `/phones/${encodeURIComponent(number)}`);
  }

  /** Waits until the number has received `count` calls (default 1). Returns the last one. */
  awaitRing(number: string, options: AwaitOptions & { count?: number } = {}): Promise<PersonView> {
    return this.longPoll(`/phones/${encodeURIComponent(number)}/await`, { count: options.count ?? 1 }, options);
  }

  /** Joins a video session as a browser with a client token. Publishes a stream by default. */
  joinWebrtc(input: {
    sessionId: string;
    token: string;
    publish?: boolean;
    name?: string;
  }): Promise<VideoConnectionView> {
    return this.request('POST', '/webrtc', input);
  }

  leaveWebrtc(
    connectionId: string,
    reason: 'clientDisconnected' | 'networkDisconnected' = 'clientDisconnected',
  ): Promise<void> {
    return this.request('DELETE', `/webrtc/${connectionId}`, undefined, { reason });
  }

  /** Waits until the connection (browser or SIP leg) has ended, for any reason. */
  awaitDisconnected(connectionId: string, options: AwaitOptions = {}): Promise<VideoConnectionView> {
    return this.longPoll(`/webrtc/${connectionId}/await`, {}, options);
  }

  sessions(): Promise<SessionView[]> {
    return this.request('GET', '/sessions');
  }

  /**
   * Stops or starts the media of a SIP leg. It ends after five minutes without media (contract §5).
   */
  setSipMedia(connectionId: string, flowing: boolean): Promise<void> {
    return this.request('PUT', `/sip/${connectionId}/media`, { flowing });
  }

  conversations(): Promise<ConversationView[]> {
    return this.request('GET', '/conversations');
  }

  /** Waits until the named conversation has exactly `members` members. */
  awaitConversation(name: string, members: number, options: AwaitOptions = {}): Promise<ConversationView> {
    return this.longPoll('/conversations/await', { name, members }, options);
  }

  /** Returns every leg since the last reset: whether it is up, and its charge. */
  ledger(filter: LegFilter = {}): Promise<LedgerView> {
    return this.request('GET', '/ledger', undefined, { ...filter });
  }

  /** Waits until exactly `n` of the matching legs are up. */
  awaitLegsUp(n: number, options: AwaitOptions & LegFilter = {}): Promise<LedgerView> {
    const { kind, sessionId, callId, conversation, account, accountKey } = options;
    return this.longPoll(
      '/ledger/await',
      { up: n, kind, sessionId, callId, conversation, account, accountKey },
      options,
    );
  }

  /** Replaces the fault document. Omitted fields return to their defaults. */
  setFaults(faults: FaultsInput): Promise<Faults> {
    return this.request('PUT', '/faults', faults);
  }

  faults(): Promise<Faults> {
    return this.request('GET', '/faults');
  }

  resetFaults(): Promise<Faults> {
    return this.request('DELETE', '/faults');
  }

  /** Virtual clock only: advances time, runs due timers, and waits for the webhooks they cause. */
  advanceClock(advanceMs: number): Promise<{ now: number }> {
    return this.request('POST', '/clock', { advanceMs });
  }

  clock(): Promise<{ mode: 'real' | 'virtual'; now: number; timers: number }> {
    return this.request('GET', '/clock');
  }

  webhookLog(query: LogQuery = {}): Promise<WebhookLogEntry[]> {
    return this.request('GET', '/webhooks', undefined, { ...query });
  }

  /** Waits until the log has a matching attempt with an outcome. */
  awaitWebhook(query: LogQuery, options: AwaitOptions = {}): Promise<WebhookLogEntry> {
    return this.longPoll('/webhooks/await', { ...query }, options);
  }

  restLog(query: LogQuery = {}): Promise<RestLogEntry[]> {
    return this.request('GET', '/requests', undefined, { ...query });
  }

  awaitRequest(query: LogQuery, options: AwaitOptions = {}): Promise<RestLogEntry> {
    return this.longPoll('/requests/await', { ...query }, options);
  }

  config(): Promise<EmulatorConfig> {
    return this.request('GET', '/config');
  }

  /** Changes the configuration at run time. Lists merge by id, apiKey or e164. */
  putConfig(patch: EmulatorConfigPatch): Promise<EmulatorConfig> {
    return this.request('PUT', '/config', patch);
  }

  /**
   * Adds an account with its application, project, numbers and callback addresses, or updates it.
   */
  addAccount(account: NewAccount): Promise<EmulatorConfig> {
    return this.putConfig(buildAccountPatch(account));
  }

  /** Sets the webhook addresses of an account. */
  setCallbacks(account: Pick<NewAccount, 'application' | 'project'>, callbacks: CallbackUrls): Promise<EmulatorConfig> {
    return this.putConfig(buildCallbacksPatch(account, callbacks));
  }

  /** Deletes all calls, sessions, people, log entries and faults. Keeps the configuration. */
  async reset(): Promise<void> {
    this.lastSeqByEvent.clear();
    await this.request('POST', '/reset', {});
  }

  private longPoll<T>(path: string, query: Query, options: AwaitOptions): Promise<T> {
    return this.request('GET', path, undefined, {
      after: options.after,
      ...query,
      timeout_ms: options.timeoutMs ?? 30_000,
    });
  }

  private async request<T>(method: string, path: string, body?: unknown, query: Query = {}): Promise<T> {
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
