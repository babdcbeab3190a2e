import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { MAX_MESSAGE_BYTES, type ClientMessage } from '@partyline/contracts/gateway-socket/messages';
import type { Clock } from '@partyline/domain/clock';
import type { JanusConnection } from '@partyline/janus/connection';
import type { Gateway } from '@partyline/provider-janus/gateways';
import { createBrowserTokenVerifier } from '@partyline/provider-janus/media/verify-browser-token';
import type { BrowserClaims } from '@partyline/provider-janus/wire';
import { WebSocketServer, type WebSocket } from 'ws';
import type { Timers } from '../audio/frame-clock.ts';
import type { HostingJanus } from '../conferences/local-place.ts';
import type { BrowserControl } from '../control/control-deps.ts';
import type { OtherGateways } from '../gateways/other-gateways.ts';
import type { EventSender } from '../webhooks/event-sender.ts';
import { BrowserConnection, type ConnectionFacts } from './browser-connection.ts';
import { acceptSocket, type FirstMessage } from './browser-socket.ts';
import { sanitizeName } from './display-name.ts';
import { createIceServers, type IceSettings } from './ice-servers.ts';
import { rejectUpgrade } from '../sockets/attach-sockets.ts';
import { Roster } from './roster.ts';
import { SocketError } from './socket-error.ts';

export const SOCKET_PATH = '/v1/socket';

export interface BrowsersDeps {
  readonly gatewayId: string;
  /** The connection to Janus while it is up: `JanusLink.current`. */
  readonly janus: () => HostingJanus | undefined;
  readonly others: OtherGateways;
  /** Verifies that another gateway forwards a WebSocket. @throws VerdictError `control-rejected` */
  readonly verify: (request: IncomingMessage) => void;
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
  /** Serves a request for the WebSocket `/v1/socket`. @returns false: it is another request */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean;
  /** Begins no new conferences; those that exist go on. Resolves when no connection is left. */
  drain(): Promise<void>;
  /** Ends all connections, and accepts no others. Resolves when their handles are gone. */
  close(): Promise<void>;
}

/** Sockets that have not joined are few; this bounds them. */
const MAX_SOCKETS_WITHOUT_CONNECTION = 200;
const DRAIN_POLL_MS = 100;

const notReady = (): SocketError =>
  new SocketError('gateway-not-ready', 'The gateway is not ready, or is stopping. Try again.');

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
  /** @param isForwarded by another gateway, which has chosen this one */
  const serve = (socket: WebSocket, isForwarded: boolean): void => {
    acceptSocket(socket, {
      open: async (message) => {
        const home = isForwarded ? undefined : await findHome(message);
        if (home !== undefined) return home;
        return message.do === 'join' ? join(message) : resume(message.secret);
      },
      timers: deps.timers,
      onError: deps.onError,
    });
  };

  /** Opens a WebSocket to the gateway that has the browser's conference, or its connection, if it is another one. */
  async function findHome(message: FirstMessage): Promise<WebSocket | undefined> {
    if (message.do === 'resume') {
      const owner = deps.others.ownerOf(message.secret);
      return owner && openForwarded(owner);
    }
    return deps.others.runAtHome(readToken(message.token).conference, openForwarded);
  }

  async function openForwarded(gateway: Gateway): Promise<WebSocket> {
    try {
      return await deps.others.openSocket(gateway, SOCKET_PATH);
    } catch (error) {
      deps.onError(error, undefined);
      throw notReady();
    }
  }

  function readToken(token: string): BrowserClaims {
    const verified = verifyToken(token, deps.clock.now());
    if (!verified.ok) throw new SocketError('token-rejected', `The token was rejected: ${verified.refused}.`);
    return verified.claims;
  }

  async function join(message: Extract<ClientMessage, { do: 'join' }>): Promise<BrowserConnection> {
    const claims = readToken(message.token);
    const janus = deps.janus();
    if (isClosed || janus === undefined || (isDraining && !janus.conferences.has(claims.conference))) throw notReady();
    if (connections.size >= deps.maxBrowsers)
      throw new SocketError('gateway-full', 'The gateway has too many connections. Try again later.');
    const facts: ConnectionFacts = {
      id: `${deps.gatewayId}.${deps.secret().slice(0, 22)}`,
      claims,
      name: sanitizeName(message.name),
      // Names this gateway, to which others forward the browser.
      secret: `${deps.gatewayId}.${deps.secret()}`,
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

  function isSigned(request: IncomingMessage): boolean {
    try {
      deps.verify(request);
      return true;
    } catch {
      return false;
    }
  }

  const find = (conference: string, connectionId: string): BrowserConnection | undefined => {
    const connection = connections.get(connectionId);
    return connection?.facts.claims.conference === conference ? connection : undefined;
  };

  return {
    get count() {
      return connections.size;
    },
    upgrade(request, socket, head) {
      if (request.url?.split('?', 1)[0] !== SOCKET_PATH) return false;
      const isForwarded = request.headers.authorization !== undefined;
      const isFull = sockets.clients.size >= deps.maxBrowsers + MAX_SOCKETS_WITHOUT_CONNECTION;
      if (isClosed || isFull) rejectUpgrade(socket, 503);
      else if (isForwarded && !isSigned(request)) rejectUpgrade(socket, 401);
      else sockets.handleUpgrade(request, socket, head, (open) => serve(open, isForwarded));
      return true;
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
