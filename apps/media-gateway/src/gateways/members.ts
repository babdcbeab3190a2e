import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { conferenceId } from '@partyline/provider-janus/wire';
import { WebSocketServer, type RawData, type WebSocket } from 'ws';
import type { Timers } from '../audio/frame-clock.ts';
import { LocalPlace, type HostingJanus } from '../conferences/local-place.ts';
import { rejectUpgrade } from '../sockets/attach-sockets.ts';
import { memberRequest, type MemberMessage, type MemberRequest } from './messages.ts';
import { watchSocket } from './watch-socket.ts';

export interface MembersDeps {
  /** The connection to Janus while it is up: `JanusLink.current`. */
  readonly janus: () => HostingJanus | undefined;
  /** Whether this gateway takes new conferences. */
  readonly isReady: () => boolean;
  /** Verifies that a gateway opened the WebSocket. @throws VerdictError `control-rejected` */
  readonly verify: (request: IncomingMessage) => void;
  readonly timers: Timers;
  readonly sleep: (ms: number) => Promise<void>;
  readonly onError: (error: unknown, callId: string | undefined) => void;
}

/** The calls of other gateways in conferences of this one. */
export interface Members {
  /** Those that have not left. */
  readonly count: number;
  /** Serves a request for the WebSocket `/v1/conferences/{id}/members`. @returns false: it is another request */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean;
  /** Resolves when no call of another gateway is left. */
  drain(): Promise<void>;
  /** Ends all places: their calls find another gateway. */
  close(): void;
}

const DRAIN_POLL_MS = 100;
const PATH = /^\/v1\/conferences\/([^/?]+)\/members$/;
const MAX_MESSAGE_BYTES = 4_096;

export function createMembers(deps: MembersDeps): Members {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_MESSAGE_BYTES, perMessageDeflate: false });
  return {
    get count() {
      return sockets.clients.size;
    },
    upgrade(request, socket, head) {
      const conference = conferenceId.safeParse(PATH.exec(request.url ?? '')?.[1]);
      if (!conference.success) return false;
      try {
        deps.verify(request);
      } catch {
        rejectUpgrade(socket, 401);
        return true;
      }
      sockets.handleUpgrade(request, socket, head, (open) => serveMember(open, conference.data, deps));
      return true;
    },
    async drain() {
      while (sockets.clients.size > 0) await deps.sleep(DRAIN_POLL_MS);
    },
    close() {
      sockets.close();
      for (const socket of sockets.clients) socket.terminate();
    },
  };
}

/** Serves the WebSocket of one call. Its requests are executed in order. */
function serveMember(socket: WebSocket, conference: string, deps: MembersDeps): void {
  let place: LocalPlace | undefined;
  let callId: string | undefined;
  let work: Promise<void> = Promise.resolve();
  const send = (message: MemberMessage): void => {
    if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(message));
  };
  const leave = (ends: boolean): void => {
    place?.leave(ends);
    place = undefined;
  };

  async function execute(request: MemberRequest): Promise<Omit<Extract<MemberMessage, { re: number }>, 're'>> {
    if (request.do === 'enter') {
      if (place !== undefined) return { problem: 'the call is in the conference' };
      const janus = deps.janus();
      if (janus === undefined || (!deps.isReady() && !janus.conferences.has(conference)))
        return { problem: 'it is not ready, or is stopping' };
      callId = request.callId;
      place = await LocalPlace.take(
        janus,
        { conference, callId, starts: request.starts },
        {
          onStarted: () => send({ event: 'started' }),
          onEnded: () => send({ event: 'ended' }),
          onRemoved: () => send({ event: 'removed' }),
          onHomeLost: () => socket.close(),
        },
        deps.timers,
      );
      void janus.connection.closed.then(() => socket.close());
      return {};
    }
    if (place === undefined) return { problem: 'the call is not in the conference' };
    if (request.do === 'connect') return { rtp: await place.connect(request.rtp, request.isMuted) };
    if (request.do === 'mute') await place.setMuted(request.isMuted);
    else leave(request.ends);
    return {};
  }

  async function answer(data: RawData): Promise<void> {
    const request = memberRequest.parse(JSON.parse((data as Buffer).toString('utf8')));
    try {
      send({ re: request.id, ...(await execute(request)) });
    } catch (error) {
      deps.onError(error, callId);
      send({ re: request.id, problem: 'its media server rejected the request' });
    }
  }

  watchSocket(socket, deps.timers);
  const inOrder = (next: () => Promise<void>): void => {
    const earlier = work;
    work = (async () => {
      await earlier;
      try {
        await next();
      } catch (error) {
        deps.onError(error, callId);
        socket.close();
      }
    })();
  };
  socket.on('message', (data) => inOrder(() => answer(data)));
  socket.on('close', () => inOrder(async () => leave(false)));
}
