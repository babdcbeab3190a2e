import { verdict } from '@partyline/domain/verdict';
import type { MediaProvider, SipDial } from '@partyline/provider-contract/media-provider';
import { ProviderError } from '@partyline/provider-contract/provider-error';
import type { MediaEvent } from '@partyline/provider-contract/provider-event';
import type { Life } from '../runtime/process.ts';
import type { Random } from '../runtime/random.ts';
import type { Scheduler } from '../runtime/scheduler.ts';
import type { WebhookSender } from './webhooks.ts';
import { recordFault, type EndedBy, type LedgerEntry, type Ledger } from './ledger.ts';
import { notFound, type RestApi } from './rest-api.ts';
import type { SimCall, SimVoice } from './voice.ts';
import type { FaultProfile } from './fault-profile.ts';

export interface SimConnection {
  readonly entry: LedgerEntry;
  readonly data: string;
  isOver: boolean;
  /** When a list left it out first, of those that did one after another. */
  firstOmittedAt: number | null;
  /** A SIP connection's call, once it has reached the voice side. */
  call: SimCall | null;
  readonly sipCallId: string | null;
  readonly onOver: ((connection: SimConnection) => void) | undefined;
}

interface Parts {
  readonly scheduler: Scheduler;
  readonly ledger: Ledger;
  readonly hooks: WebhookSender;
  readonly rest: RestApi;
  readonly weather: FaultProfile;
  readonly random: Random;
  readonly voice: SimVoice;
  readonly ids: { next(prefix: string): string };
}

const MAX_OMISSION_MS = 20_000;
const MIN_LISTED_MS = 900_000;

/** The vendor's video side: sessions, browsers, and SIP calls out of a session, which come back to us as calls. */
export class SimVideo {
  readonly connections = new Map<string, SimConnection>();
  readonly #ofSession = new Map<string, Set<SimConnection>>();
  onDial: ((input: SipDial) => void) | undefined = undefined;
  onDisconnect: ((entry: LedgerEntry) => void) | undefined = undefined;
  readonly #in: Parts;

  constructor(parts: Parts) {
    this.#in = parts;
    parts.voice.onBridgeAnswered = (call) => this.#sip(this.#connectionOf(call), 'active');
    parts.voice.onBridgeOver = (call) => {
      const connection = this.#connectionOf(call);
      if (connection === undefined) return;
      this.#sip(connection, 'over');
      parts.scheduler.after(100, () => this.#close(connection, 'peer', 'clientDisconnected'));
    };
  }

  /** A browser comes in with a token. */
  join(media: string, data: string, onOver?: (connection: SimConnection) => void): SimConnection {
    return this.#open('webrtc', media, data, null, onOver);
  }

  leave(connection: SimConnection): void {
    this.#close(connection, 'person', 'clientDisconnected');
  }

  #connectionOf(call: SimCall): SimConnection | undefined {
    return call.entry.peer === null ? undefined : this.connections.get(call.entry.peer.id);
  }

  #open(
    kind: 'webrtc' | 'bridge',
    media: string,
    data: string,
    sipCallId: string | null,
    onOver?: (connection: SimConnection) => void,
  ): SimConnection {
    const legId = kind === 'bridge' ? ((JSON.parse(data) as { leg?: string }).leg ?? null) : null;
    const entry = this.#in.ledger.open({ id: this.#in.ids.next('con'), side: 'media', kind, media, legId });
    const connection: SimConnection = { entry, data, isOver: false, firstOmittedAt: null, call: null, sipCallId, onOver };
    this.connections.set(entry.id, connection);
    let siblings = this.#ofSession.get(media);
    if (siblings === undefined) this.#ofSession.set(media, (siblings = new Set()));
    siblings.add(connection);
    this.#tell(connection, {
      kind: 'connected',
      mediaSessionId: media,
      connectionId: entry.id,
      data,
      at: new Date(this.#in.scheduler.now),
      since: new Date(entry.createdAt),
    });
    return connection;
  }

  #close(connection: SimConnection, by: EndedBy, reason: string): void {
    if (connection.isOver) return;
    connection.isOver = true;
    const { entry } = connection;
    const { scheduler, ledger, voice } = this.#in;
    ledger.close(entry, by);
    this.#ofSession.get(entry.media!)?.delete(connection);
    this.#tell(connection, {
      kind: 'disconnected',
      mediaSessionId: entry.media!,
      connectionId: entry.id,
      data: connection.data,
      reason,
      at: new Date(scheduler.now),
      since: new Date(entry.createdAt),
    });
    connection.onOver?.(connection);
    const { call } = connection;
    if (entry.kind !== 'bridge') return;
    // A call that is picked up ends with its media side; one that still rings does not (design §2).
    if (call?.phase === 'answered') scheduler.after(100, () => voice.hangUpByUser(call, 'peer'));
    else if (call === null || call.phase !== 'over') this.#sip(connection, 'over');
  }

  #tell(connection: SimConnection, event: MediaEvent): void {
    const { hooks } = this.#in;
    hooks.sendEvent(connection.entry, { to: 'video-event', jti: hooks.nextToken(), event });
  }

  #sip(connection: SimConnection | undefined, phase: 'ringing' | 'active' | 'over'): void {
    if (connection === undefined || connection.sipCallId === null) return;
    const { entry, sipCallId } = connection;
    this.#tell(connection, {
      kind: 'sip-call',
      mediaSessionId: entry.media!,
      connectionId: entry.id,
      sipCallId,
      phase,
      at: new Date(this.#in.scheduler.now),
      ...(phase === 'over' ? { verdict: verdict('success', 'normal-clearing') } : {}),
    });
  }

  #dial(input: SipDial): SimConnection {
    const { scheduler, random, voice, ids } = this.#in;
    this.onDial?.(input);
    const connection = this.#open('bridge', input.mediaSessionId, input.data, ids.next('sip'));
    scheduler.after(random.between(50, 300), () => {
      this.#sip(connection, 'ringing');
      // The call is on its way also when the stream was let go meanwhile.
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
          person: {},
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
    if (this.#in.weather.shouldInject('accepted-but-alive')) {
      recordFault(connection.entry, 'accepted-but-alive');
      return;
    }
    this.onDisconnect?.(connection.entry);
    this.#close(connection, 'us', 'forceDisconnected');
  }

  /** What is live. One that was left out may be left out again a moment later, and then not for longer than any outage: who is missed twice half a minute apart is held to be gone (guarantee.md). */
  #list(mediaSessionId: string): SimConnection[] {
    const { weather, random, scheduler } = this.#in;
    const all = [...(this.#ofSession.get(mediaSessionId) ?? [])];
    if (all.length === 0 || !weather.shouldInject('list-omits-connection')) return all;
    const at = random.int(all.length);
    const { firstOmittedAt: omittedAt } = all[at]!;
    const ago = omittedAt === null ? Infinity : scheduler.now - omittedAt;
    if (ago >= MAX_OMISSION_MS && ago < MIN_LISTED_MS) return all;
    if (ago >= MIN_LISTED_MS) all[at]!.firstOmittedAt = scheduler.now;
    return all.toSpliced(at, 1);
  }

  /** The provider that one process holds. */
  providerFor(life: Life): MediaProvider {
    const { rest, ids } = this.#in;
    const unused = (): never => {
      throw new Error('the simulation hands over parsed webhooks');
    };
    return {
      kind: 'simulated',
      capabilities: { sipDial: true, sipMonitoring: true, listConnections: true, mute: false },
      clientConfig: { kind: 'simulated', application: 'app' },
      openSession: () =>
        rest.request({
          life,
          label: 'open-session',
          isRead: false,
          limit: 'none',
          entry: null,
          act: () => ({ mediaSessionId: ids.next('media') }),
        }),
      issueToken: ({ data }) => data,
      dialSip: (input) =>
        rest.request({
          life,
          label: 'dial-sip',
          isRead: false,
          limit: 'none',
          entry: null,
          act: () => {
            const { entry, sipCallId } = this.#dial(input);
            return { connectionId: entry.id, sipCallId: sipCallId! };
          },
          findCreated: ({ connectionId }) => this.connections.get(connectionId)?.entry ?? null,
        }),
      disconnect: ({ connectionId }) =>
        rest.request({
          life,
          label: 'disconnect',
          isRead: false,
          limit: 'none',
          entry: this.connections.get(connectionId)?.entry ?? null,
          isHangUp: true,
          act: () => this.#disconnect(connectionId),
        }),
      mute: () => Promise.reject(new ProviderError('refused', 'unsupported', 'not simulated')),
      listConnections: (mediaSessionId) =>
        rest.request({
          life,
          label: 'list-connections',
          isRead: true,
          limit: 'none',
          entry: null,
          act: () => this.#list(mediaSessionId).map(({ entry, data }) => ({ connectionId: entry.id, data })),
        }),
      verifyCallback: unused,
      parseCallback: unused,
    };
  }
}
