import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { Server } from 'node:http';
import { MAX_MESSAGE_BYTES, type ClientMessage } from '@partyline/contracts/gateway-socket/messages';
import type { Clock } from '@partyline/domain/clock';
import type { JanusConnection } from '@partyline/janus/connection';
import { createBrowserTokenVerifier } from '@partyline/provider-janus/media/verify-browser-token';
import { WebSocketServer } from 'ws';
import type { Timers } from '../audio/frame-clock.ts';
import type { Conferences } from '../conferences/conferences.ts';
import type { BrowserControl } from '../control/control-deps.ts';
import type { EventSender } from '../webhooks/event-sender.ts';
import { BrowserConnection, type ConnectionFacts } from './browser-connection.ts';
import { acceptSocket } from './browser-socket.ts';
import { sanitizeName } from './display-name.ts';
import { createIceServers, type IceSettings } from './ice-servers.ts';
import { Roster } from './roster.ts';
import { SocketError } from './socket-error.ts';

export const SOCKET_PATH = '/v1/socket';

export interface BrowsersDeps {
  readonly gatewayId: string;
  /** The connection to Janus while it is up: `JanusLink.current`. */
  readonly janus: () => { readonly connection: JanusConnection; readonly conferences: Conferences } | undefined;
  /** Secrets that tokens may be signed with: one, or two during a rotation. */
  readonly secrets: readonly string[];
  readonly events: Pick<EventSender, 'send'>;
  /** Where the events of an account's browsers go: `webhookUrls(...).videoEvents`. */
  readonly eventUrl: (account: string) => string;
  readonly ice: IceSettings;
  /** Connections at the same time. */
  readonly maxBrowsers: number;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly sleep: (ms: number) => Promise<void>;
  /** Random URL-safe text, 43 characters. */
  readonly secret: () => string;
  readonly onError: (error: unknown, connectionId: string | undefined) => void;
}

/** The browsers of a gateway. */
export interface Browsers extends BrowserControl {
  /** The connections that are not over. */
  readonly count: number;
  /** Serves the WebSocket `/v1/socket` of a server. Requests of other upgrades get 404. */
  attach(server: Server): void;
  /** Accepts no new connections; those that exist go on. Resolves when none is left. */
  drain(): Promise<void>;
  /** Ends all connections, and accepts no others. Resolves when their handles are gone. */
  close(): Promise<void>;
}

/** Sockets that have not joined are few; this bounds them. */
const MAX_SOCKETS_WITHOUT_CONNECTION = 200;
const DRAIN_POLL_MS = 100;

export function createBrowsers(deps: BrowsersDeps): Browsers {
  const verifyToken = createBrowserTokenVerifier(deps.secrets);
  const connections = new Map<string, BrowserConnection>();
  const bySecret = new Map<string, BrowserConnection>();
  const rosters = new Map<string, { readonly roster: Roster; count: number }>();
  /** The connections on each connection to Janus. */
  const byJanus = new WeakMap<JanusConnection, Set<BrowserConnection>>();
  let isDraining = false;
  let isClosed = false;

  const sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_MESSAGE_BYTES, perMessageDeflate: false });
  sockets.on('connection', (socket) => {
    acceptSocket(socket, {
      open: (message) => (message.do === 'join' ? join(message) : resume(message.secret)),
      timers: deps.timers,
      onError: deps.onError,
    });
  });

  async function join(message: Extract<ClientMessage, { do: 'join' }>): Promise<BrowserConnection> {
    const verified = verifyToken(message.token, deps.clock.now());
    if (!verified.ok) throw new SocketError('token-rejected', `The token was rejected: ${verified.refused}.`);
    const janus = deps.janus();
    if (isDraining || isClosed || janus === undefined)
      throw new SocketError('gateway-not-ready', 'The gateway is not ready, or is stopping. Try again.');
    if (connections.size >= deps.maxBrowsers)
      throw new SocketError('gateway-full', 'The gateway has too many connections. Try again later.');
    const facts: ConnectionFacts = {
      id: `${deps.gatewayId}.${deps.secret().slice(0, 22)}`,
      claims: verified.claims,
      name: sanitizeName(message.name),
      secret: deps.secret(),
      receivesVideo: message.receivesVideo ?? true,
    };
    const connection = openConnection(facts, janus);
    try {
      await connection.enter();
      return connection;
    } catch (error) {
      await connection.end('media-failed');
      throw error;
    }
  }

  function openConnection(
    facts: ConnectionFacts,
    janus: NonNullable<ReturnType<BrowsersDeps['janus']>>,
  ): BrowserConnection {
    const { conference } = facts.claims;
    const shared = rosters.get(conference) ?? { roster: new Roster((id) => connections.has(id)), count: 0 };
    rosters.set(conference, shared);
    shared.count += 1;
    const connection = new BrowserConnection(facts, {
      janus,
      roster: shared.roster,
      iceServers: (id) => createIceServers(deps.ice, id, deps.clock.now()),
      sendEvent: (account, event) => deps.events.send(facts.id, { account, url: deps.eventUrl(account), body: event }),
      clock: deps.clock,
      timers: deps.timers,
      sleep: deps.sleep,
      onError: deps.onError,
      onOver() {
        connections.delete(facts.id);
        siblings.delete(connection);
        bySecret.delete(hash(facts.secret));
        shared.count -= 1;
        if (shared.count === 0 && rosters.get(conference) === shared) rosters.delete(conference);
      },
    });
    const siblings = siblingsOn(janus.connection).add(connection);
    connections.set(facts.id, connection);
    bySecret.set(hash(facts.secret), connection);
    return connection;
  }

  function siblingsOn(janus: JanusConnection): Set<BrowserConnection> {
    const known = byJanus.get(janus);
    if (known !== undefined) return known;
    const siblings = new Set<BrowserConnection>();
    byJanus.set(janus, siblings);
    void janus.closed.then(() => {
      for (const connection of siblings) connection.loseJanus();
    });
    return siblings;
  }

  async function resume(secret: string): Promise<BrowserConnection> {
    const connection = bySecret.get(hash(secret));
    if (connection === undefined || connection.isOver)
      throw new SocketError('no-such-connection', 'There is no such connection. Join again.');
    return connection;
  }

  const find = (conference: string, connectionId: string): BrowserConnection | undefined => {
    const connection = connections.get(connectionId);
    return connection?.facts.claims.conference === conference ? connection : undefined;
  };

  return {
    get count() {
      return connections.size;
    },
    attach(server) {
      server.on('upgrade', (request, socket, head) => {
        const path = request.url?.split('?', 1)[0];
        const isFull = sockets.clients.size >= deps.maxBrowsers + MAX_SOCKETS_WITHOUT_CONNECTION;
        if (path !== SOCKET_PATH || isClosed || isFull) {
          socket.on('error', () => undefined);
          socket.end(`HTTP/1.1 ${path === SOCKET_PATH ? '503 Service Unavailable' : '404 Not Found'}\r\n\r\n`);
          return;
        }
        sockets.handleUpgrade(request, socket, head, (open) => sockets.emit('connection', open, request));
      });
    },
    async drain() {
      isDraining = true;
      while (connections.size > 0) await deps.sleep(DRAIN_POLL_MS);
    },
    async close() {
      isClosed = true;
      await Promise.all([...connections.values()].map((connection) => connection.end('gateway-stopping')));
      const closed = once(sockets, 'close');
      sockets.close();
      for (const socket of sockets.clients) socket.terminate();
      await closed;
    },
    list: (conference) =>
      [...connections.values()].flatMap((connection) => {
        const { id, claims } = connection.facts;
        const { connectedAt } = connection;
        if (claims.conference !== conference || connectedAt === undefined) return [];
        return [{ connectionId: id, createdAt: connectedAt.toISOString(), data: claims.data }];
      }),
    async disconnect(conference, connectionId) {
      const connection = find(conference, connectionId);
      if (connection === undefined) return false;
      void connection.end('kicked');
      return true;
    },
    async mute(conference, connectionId, muted) {
      const connection = find(conference, connectionId);
      if (connection === undefined || connection.isOver) return false;
      await connection.muteByHost(muted);
      return true;
    },
  };
}

/** Secrets are found by their hash, so that the time of a look-up tells nothing about them. */
const hash = (secret: string): string => createHash('sha256').update(secret).digest('base64url');
