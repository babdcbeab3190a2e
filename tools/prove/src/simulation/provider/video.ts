import { verdict } from '@partyline/domain/verdict';
import type { MediaProvider, SipDial } from '@partyline/provider-contract/media-provider';
import { ProviderError } from '@partyline/provider-contract/provider-error';
import type { MediaEvent } from '@partyline/provider-contract/provider-event';
import type { Life } from '../runtime/process.ts';
import type { Random } from '../runtime/random.ts';
import type { Scheduler } from '../runtime/scheduler.ts';
import type { FaultProfile } from './fault-profile.ts';
import { recordFault, type EndedBy, type Ledger, type LedgerEntry } from './ledger.ts';
import { notFound, type RestApi } from './rest-api.ts';
import { GATEWAY_COUNT, MAX_GATEWAY_LOSS_MS, type SimCall, type SimVoice } from './voice.ts';
import type { WebhookSender } from './webhooks.ts';

export interface SimConnection {
  readonly entry: LedgerEntry;
  readonly data: string;
  isOver: boolean;
  /** The first list of the current series that omitted the connection. */
  firstOmittedAt: number | null;
  /** The call of a SIP connection, after it has reached the voice API. */
  call: SimCall | null;
  readonly sipCallId: string | null;
  /** The gateway of the self-hosted provider that has the connection. */
  readonly gateway: number;
}

interface Parts {
  readonly scheduler: Scheduler;
  readonly ledger: Ledger;
  readonly webhookSender: WebhookSender;
  readonly restApi: RestApi;
  readonly faultProfile: FaultProfile;
  readonly random: Random;
  readonly voice: SimVoice;
  readonly ids: { next(prefix: string): string };
  /**
   * As at our own gateways: browsers join the voice conference itself, so no bridge leg is dialled,
   * and can be muted.
   */
  readonly isSelfHosted: boolean;
}

/** When the provider says something false of a connection, after it opened or ended. */
const FALSE_STATEMENT_MS = { afterStart: 240_000, afterEnd: 60_000 };
/** Lists may omit a connection for this long. */
const MAX_OMISSION_MS = 20_000;
/** Then they show it until this long after the first omission. */
const OMISSION_INTERVAL_MS = 900_000;

/** The provider's video API: sessions, browsers, and SIP calls from a session to the voice API. */
export class SimVideo {
  readonly connections = new Map<string, SimConnection>();
  readonly #connectionsBySession = new Map<string, Set<SimConnection>>();
  readonly #lastEndedBySession = new Map<string, SimConnection>();
  /** When lists of connections failed, by video session, in order. */
  readonly failedLists = new Map<string, number[]>();
  /** When SIP dials got no usable answer, by video session. They may or may not be placed. */
  readonly unansweredDials = new Map<string, number[]>();
  onDial: ((input: SipDial) => void) | undefined = undefined;
  onDisconnect: ((entry: LedgerEntry) => void) | undefined = undefined;
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
    parts.voice.onBridgeAnswered = (call) => this.#sendSipEvent(this.#findConnection(call), 'active');
    parts.voice.onBridgeOver = (call) => {
      const connection = this.#findConnection(call);
      if (connection === undefined) return;
      this.#sendSipEvent(connection, 'over');
      parts.scheduler.after(100, () => this.#close(connection, 'peer', 'clientDisconnected'));
    };
  }

  /** A browser connects with a token. `data` is the connection data in the token. */
  join(media: string, data: string): SimConnection {
    return this.#open('webrtc', media, data, null);
  }

  leave(connection: SimConnection): void {
    this.#close(connection, 'user', 'clientDisconnected');
  }

  /**
   * A gateway is lost with its browsers.
   * @param isReported whether the ends of their connections are reported
   */
  loseGateway(gateway: number, isReported: boolean): void {
    const { scheduler, ledger, random } = this.#parts;
    for (const { id } of ledger.live.values()) {
      const connection = this.connections.get(id);
      if (connection?.gateway !== gateway) continue;
      scheduler.after(random.between(50, MAX_GATEWAY_LOSS_MS), () =>
        this.#close(connection, 'failure', 'gateway-lost', isReported),
      );
    }
  }

  #recordTime(times: Map<string, number[]>, media: string): void {
    times.set(media, [...(times.get(media) ?? []), this.#parts.scheduler.now]);
  }

  #findConnection(call: SimCall): SimConnection | undefined {
    return call.entry.peer === null ? undefined : this.connections.get(call.entry.peer.id);
  }

  #open(kind: 'webrtc' | 'bridge', media: string, data: string, sipCallId: string | null): SimConnection {
    const legId = kind === 'bridge' ? ((JSON.parse(data) as { leg?: string }).leg ?? null) : null;
    const entry = this.#parts.ledger.open({ id: this.#parts.ids.next('con'), handle: 'media', kind, media, legId });
    const connection: SimConnection = {
      entry,
      data,
      isOver: false,
      firstOmittedAt: null,
      call: null,
      sipCallId,
      gateway: this.#parts.isSelfHosted ? this.#parts.random.int(GATEWAY_COUNT) : 0,
    };
    this.connections.set(entry.id, connection);
    let siblings = this.#connectionsBySession.get(media);
    if (siblings === undefined) this.#connectionsBySession.set(media, (siblings = new Set()));
    siblings.add(connection);
    this.#sendConnected(connection);
    const { faultProfile, scheduler, random, ledger } = this.#parts;
    if (faultProfile.shouldSchedule('false-disconnected'))
      scheduler.after(random.between(1_000, FALSE_STATEMENT_MS.afterStart), () => {
        if (connection.isOver || !faultProfile.isEnabled) return;
        faultProfile.count('false-disconnected');
        ledger.recordFalseEnd(entry, 'false-disconnected');
        this.#sendDisconnected(connection, 'networkDisconnected');
      });
    return connection;
  }

  #sendConnected(connection: SimConnection): void {
    const { entry, data } = connection;
    this.#sendEvent(connection, {
      kind: 'connected',
      mediaSessionId: entry.media!,
      connectionId: entry.id,
      data,
      at: new Date(this.#parts.scheduler.now),
      since: new Date(entry.createdAt),
    });
  }

  #sendDisconnected(connection: SimConnection, reason: string): void {
    const { entry, data } = connection;
    this.#sendEvent(connection, {
      kind: 'disconnected',
      mediaSessionId: entry.media!,
      connectionId: entry.id,
      data,
      reason,
      at: new Date(this.#parts.scheduler.now),
      since: new Date(entry.createdAt),
    });
  }

  #close(connection: SimConnection, by: EndedBy, reason: string, isReported = true): void {
    if (connection.isOver) return;
    connection.isOver = true;
    const { entry, call } = connection;
    const { scheduler, ledger, voice, faultProfile, random } = this.#parts;
    ledger.close(entry, by);
    this.#connectionsBySession.get(entry.media!)?.delete(connection);
    this.#lastEndedBySession.set(entry.media!, connection);
    if (isReported) this.#sendDisconnected(connection, reason);
    else entry.isEndLost = true;
    if (faultProfile.shouldSchedule('false-connected'))
      scheduler.after(random.between(0, FALSE_STATEMENT_MS.afterEnd), () => {
        if (!faultProfile.isEnabled) return;
        faultProfile.count('false-connected');
        ledger.recordFalseLife(entry, 'an event says that it is connected');
        this.#sendConnected(connection);
      });
    if (entry.kind !== 'bridge') return;
    // An answered call ends with its connection. A ringing one does not (design, section 2).
    if (call?.phase === 'answered') scheduler.after(100, () => voice.hangUp(call, 'peer'));
    else if (call === null || call.phase !== 'over') this.#sendSipEvent(connection, 'over');
  }

  #sendEvent(connection: SimConnection, event: MediaEvent): void {
    const { webhookSender } = this.#parts;
    webhookSender.sendEvent(connection.entry, { to: 'video-event', jti: webhookSender.nextToken(), event });
  }

  #sendSipEvent(connection: SimConnection | undefined, phase: 'ringing' | 'active' | 'over'): void {
    if (connection === undefined || connection.sipCallId === null) return;
    const { entry, sipCallId } = connection;
    this.#sendEvent(connection, {
      kind: 'sip-call',
      mediaSessionId: entry.media!,
      connectionId: entry.id,
      sipCallId,
      phase,
      at: new Date(this.#parts.scheduler.now),
      ...(phase === 'over' ? { verdict: verdict('success', 'normal-clearing') } : {}),
    });
  }

  #dial(input: SipDial): SimConnection {
    const { scheduler, random, voice, ids } = this.#parts;
    this.onDial?.(input);
    const connection = this.#open('bridge', input.mediaSessionId, input.data, ids.next('sip'));
    scheduler.after(random.between(50, 300), () => {
      this.#sendSipEvent(connection, 'ringing');
      // The call can arrive although the connection has ended meanwhile.
      scheduler.after(random.between(50, 600), () => {
        if (connection.isOver && random.bool(0.5)) return;
        const headers = Object.fromEntries(
          Object.entries(input.headers).map(([name, value]) => [name.toLowerCase(), value]),
        );
        const call = voice.receiveCall({
          kind: 'bridge',
          from: null,
          to: input.number,
          headers,
          user: {},
          media: input.mediaSessionId,
        });
        connection.call = call;
        call.entry.peer = connection.entry;
        connection.entry.peer = call.entry;
      });
    });
    return connection;
  }

  #disconnect(id: string): void {
    const connection = this.connections.get(id);
    if (connection === undefined || connection.isOver) throw notFound();
    if (this.#parts.faultProfile.shouldInject('accepted-but-alive')) {
      recordFault(connection.entry, 'accepted-but-alive');
      return;
    }
    this.onDisconnect?.(connection.entry);
    this.#close(connection, 'platform', 'forceDisconnected');
  }

  /**
   * Lists the live connections. A fault omits one, possibly in a series of lists, but for less than
   * the 30 s after which two complete lists without it count as its end (docs/guarantee.md).
   */
  #list(mediaSessionId: string): SimConnection[] {
    const { faultProfile, random, scheduler } = this.#parts;
    const all = [...(this.#connectionsBySession.get(mediaSessionId) ?? [])];
    const ended = this.#lastEndedBySession.get(mediaSessionId);
    if (ended !== undefined && faultProfile.shouldInject('list-shows-ended-connection')) {
      this.#parts.ledger.recordFalseLife(ended.entry, 'a list shows it');
      return [...all, ended];
    }
    if (all.length === 0 || !faultProfile.shouldInject('list-omits-connection')) return all;
    const index = random.int(all.length);
    const { firstOmittedAt } = all[index]!;
    const ageMs = firstOmittedAt === null ? Infinity : scheduler.now - firstOmittedAt;
    if (ageMs >= MAX_OMISSION_MS && ageMs < OMISSION_INTERVAL_MS) return all;
    if (ageMs >= OMISSION_INTERVAL_MS) all[index]!.firstOmittedAt = scheduler.now;
    this.#parts.ledger.recordOmission(all[index]!.entry);
    return all.toSpliced(index, 1);
  }

  /** The media provider of one process. */
  createProvider(life: Life): MediaProvider {
    const { restApi, ids, isSelfHosted, ledger } = this.#parts;
    const unsupported = (): never => {
      throw new Error('the simulation passes parsed webhooks');
    };
    const findEntry = (connectionId: string): LedgerEntry | null => this.connections.get(connectionId)?.entry ?? null;
    return {
      kind: 'simulated',
      capabilities: {
        sipDial: !isSelfHosted,
        sipMonitoring: !isSelfHosted,
        listConnections: true,
        mute: isSelfHosted,
      },
      clientConfig: { kind: 'simulated', application: 'app' },
      openSession: ({ conversation }) =>
        restApi.request({
          life,
          label: 'open-session',
          isRead: false,
          limit: 'none',
          entry: null,
          act: () => ({ mediaSessionId: isSelfHosted ? conversation : ids.next('media') }),
        }),
      issueToken: ({ data }) => data,
      dialSip: (input) =>
        restApi.request({
          life,
          label: 'dial-sip',
          isRead: false,
          limit: 'none',
          entry: null,
          act: () => {
            // A bridge leg that nobody needs would cost money: the run must fail.
            if (isSelfHosted) throw new Error('a bridge leg was dialled where browsers join the conference');
            const { entry, sipCallId } = this.#dial(input);
            return { connectionId: entry.id, sipCallId: sipCallId! };
          },
          findCreated: ({ connectionId }) => findEntry(connectionId),
          onError: ({ failure }) => {
            if (failure === 'unknown') this.#recordTime(this.unansweredDials, input.mediaSessionId);
          },
        }),
      disconnect: ({ connectionId }) =>
        restApi.request({
          life,
          label: 'disconnect',
          isRead: false,
          limit: 'none',
          entry: findEntry(connectionId),
          isHangUp: true,
          act: () => this.#disconnect(connectionId),
        }),
      mute: ({ connectionId, muted }) =>
        isSelfHosted
          ? restApi.request({
              life,
              label: 'mute-connection',
              isRead: false,
              limit: 'none',
              entry: null,
              act: () => {
                const entry = findEntry(connectionId);
                if (entry === null || entry.endedAt !== null) throw notFound();
                entry.isMuted = muted;
                ledger.countUse('browser-muted');
              },
            })
          : Promise.reject(new ProviderError('refused', 'unsupported', 'The provider does not mute browsers.')),
      listConnections: (mediaSessionId) =>
        restApi.request({
          life,
          label: 'list-connections',
          isRead: true,
          limit: 'none',
          entry: null,
          onError: () => this.#recordTime(this.failedLists, mediaSessionId),
          act: () =>
            this.#list(mediaSessionId).map(({ entry, data }) => ({
              connectionId: entry.id,
              createdAt: new Date(entry.createdAt),
              ...(isSelfHosted ? { data } : {}),
            })),
        }),
      verifyCallback: unsupported,
      parseCallback: unsupported,
    };
  }
}
