import type {
  ClientMessage,
  JoinedState,
  ServerEvent,
  ServerMessage,
  ServerReply,
} from '@partyline/contracts/gateway-socket/messages';
import { RoomError } from './room-error.ts';

type Unnumbered<Message> = Message extends unknown ? Omit<Message, 'id'> : never;
/** A request without its number. */
export type Request = Unnumbered<ClientMessage>;
type First = Extract<Request, { do: 'join' | 'resume' }>;

export interface SignalingHandlers {
  onEvent(event: Exclude<ServerEvent, { event: 'ended' }>): void;
  /** The socket broke; another is tried. */
  onInterrupted(): void;
  /** Another socket has taken over. */
  onResumed(state: JoinedState): void;
  /** The connection is over. */
  onEnded(reason: string): void;
}

const OPEN_TIMEOUT_MS = 8_000;
/** The gateway keeps a connection for 10 s after it has noticed the loss, which can take as long. */
const RECONNECT_MS = 20_000;
const RECONNECT_DELAYS_MS = [0, 250, 500, 1_000, 2_000];
/** A broken network closes no socket: each of these intervals must bring a reply. */
const PING_MS = 5_000;
const URGENT_PING_MS = 2_000;

/** One socket after another to the gateway, with requests, replies and events. */
export class Signaling {
  readonly #url: string;
  readonly #WebSocket: typeof WebSocket;
  readonly #handlers: SignalingHandlers;
  readonly #replies = new Map<number, { resolve(reply: ServerReply): void; reject(error: RoomError): void }>();
  #socket: WebSocket | undefined;
  #secret: string | undefined;
  #lastId = 0;
  #ping: ReturnType<typeof setInterval> | undefined;
  #isOver = false;

  constructor(url: string, socketClass: typeof WebSocket, handlers: SignalingHandlers) {
    this.#url = url;
    this.#WebSocket = socketClass;
    this.#handlers = handlers;
  }

  /** Joins. @throws RoomError */
  async join(request: Extract<First, { do: 'join' }>): Promise<JoinedState> {
    const joined = await this.#open(request);
    globalThis.addEventListener?.('online', this.#checkNow);
    return joined;
  }

  /** Sends a request and returns its reply. @throws RoomError for a problem, and if the socket breaks */
  async request(request: Request): Promise<ServerReply> {
    const socket = this.#socket;
    if (this.#isOver) throw new RoomError('ended', 'The room is over.');
    if (socket?.readyState !== 1) throw new RoomError('interrupted', 'The connection to the gateway is interrupted.');
    return this.#send(socket, request);
  }

  /** Ends the signaling without another attempt. */
  close(): void {
    this.#isOver = true;
    globalThis.removeEventListener?.('online', this.#checkNow);
    this.#drop(this.#socket);
  }

  /** Checks the socket at once, because the network may have changed. */
  readonly #checkNow = (): void => this.#checkWithin(URGENT_PING_MS);

  #checkWithin(ms: number): void {
    const socket = this.#socket;
    if (socket?.readyState !== 1) return;
    const timer = setTimeout(() => this.#drop(socket), ms);
    this.#send(socket, { do: 'ping' })
      .catch(() => undefined)
      .finally(() => clearTimeout(timer));
  }

  #send(socket: WebSocket, request: Request): Promise<ServerReply> {
    const id = (this.#lastId += 1);
    return new Promise<ServerReply>((resolve, reject) => {
      this.#replies.set(id, { resolve, reject });
      socket.send(JSON.stringify({ id, ...request }));
    });
  }

  /** Opens a socket with its first request. @throws RoomError */
  async #open(first: First): Promise<JoinedState> {
    const socket = new this.#WebSocket(this.#url);
    const timer = setTimeout(() => socket.close(), OPEN_TIMEOUT_MS);
    try {
      await new Promise<void>((resolve, reject) => {
        socket.addEventListener('open', () => resolve());
        socket.addEventListener('close', () => reject(new RoomError('unreachable', 'The gateway cannot be reached.')));
      });
      socket.addEventListener('message', ({ data }) => this.#receive(socket, data));
      socket.addEventListener('close', ({ reason }) => this.#closed(socket, reason));
      this.#socket = socket;
      const { joined } = await this.#send(socket, first);
      if (joined === undefined) throw new RoomError('unreachable', 'The gateway gave no connection.');
      if (socket !== this.#socket) throw new RoomError('interrupted', 'The connection to the gateway was interrupted.');
      this.#secret = joined.secret;
      this.#ping = setInterval(() => this.#checkWithin(PING_MS), PING_MS);
      return joined;
    } catch (error) {
      this.#drop(socket, false);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  #receive(socket: WebSocket, data: unknown): void {
    if (socket !== this.#socket) return;
    const message = JSON.parse(String(data)) as ServerMessage;
    if ('re' in message) {
      const pending = this.#replies.get(message.re);
      this.#replies.delete(message.re);
      if (message.problem === undefined) pending?.resolve(message);
      else pending?.reject(new RoomError(message.problem.reason, message.problem.detail));
    } else if ('event' in message) {
      if (message.event === 'ended') this.#end(message.reason);
      else this.#handlers.onEvent(message);
    }
  }

  /** Forgets a socket, which may not even notice its end. */
  #drop(socket: WebSocket | undefined, mayReconnect = true): void {
    if (socket === undefined) return;
    socket.close();
    if (mayReconnect) this.#closed(socket, '');
    else this.#forget(socket);
  }

  #forget(socket: WebSocket): boolean {
    if (this.#socket !== socket) return false;
    this.#socket = undefined;
    clearInterval(this.#ping);
    const error = new RoomError('interrupted', 'The connection to the gateway was interrupted.');
    for (const pending of this.#replies.values()) pending.reject(error);
    this.#replies.clear();
    return true;
  }

  #closed(socket: WebSocket, reason: string): void {
    const wasJoined = this.#ping !== undefined;
    if (!this.#forget(socket) || this.#isOver || !wasJoined) return;
    this.#ping = undefined;
    if (reason === 'resumed-elsewhere') return this.#end(reason);
    this.#handlers.onInterrupted();
    void this.#reconnect();
  }

  async #reconnect(): Promise<void> {
    const until = Date.now() + RECONNECT_MS;
    for (let attempt = 0; !this.#isOver; attempt += 1) {
      await sleep(RECONNECT_DELAYS_MS[Math.min(attempt, RECONNECT_DELAYS_MS.length - 1)] ?? 0);
      if (this.#isOver) return;
      try {
        const state = await this.#open({ do: 'resume', secret: this.#secret ?? '' });
        return this.#handlers.onResumed(state);
      } catch (error) {
        const isFinal = error instanceof RoomError && error.reason === 'no-such-connection';
        if (isFinal || Date.now() > until) return this.#end('timeout');
      }
    }
  }

  #end(reason: string): void {
    if (this.#isOver) return;
    this.close();
    this.#handlers.onEnded(reason);
  }
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
