import {
  clientMessage,
  type ClientMessage,
  type JoinedState,
  type ServerMessage,
  type ServerReply,
} from '@partyline/contracts/gateway-socket/messages';
import { WebSocket, type RawData } from 'ws';
import type { Timers } from '../audio/frame-clock.ts';
import type { BrowserConnection, ConnectionSocket } from './browser-connection.ts';
import { RateLimit } from './rate-limit.ts';
import { describeProblem, SocketError } from './socket-error.ts';

/** The message that opens or resumes a connection. */
export type FirstMessage = Extract<ClientMessage, { do: 'join' | 'resume' }>;

export interface BrowserSocketDeps {
  /**
   * Opens or resumes a connection, or returns an open WebSocket to the gateway that does.
   * @throws SocketError, after which the socket closes
   */
  readonly open: (message: FirstMessage) => Promise<BrowserConnection | WebSocket>;
  readonly timers: Timers;
  readonly onError: (error: unknown, connectionId: string | undefined) => void;
}

/** A socket without a `join` or `resume` closes after this time. */
const JOIN_TIMEOUT_MS = 5_000;
/** A socket that does not answer a ping until the next one is dead. */
const PING_INTERVAL_MS = 10_000;
const RATE = { perSecond: 50, burst: 200 };
/** Messages above the rate that are answered with problems. After them, the socket closes. */
const MAX_VIOLATIONS = 100;
const MAX_REPORTED_ERRORS = 5;
/** A browser that does not read what it is sent is disconnected. */
const MAX_BUFFERED_BYTES = 1_048_576;
const NORMAL_CLOSURE = 1000;
const POLICY_VIOLATION = 1008;

/** Serves the WebSocket of one browser: checks its messages and passes them to its connection. */
export function acceptSocket(socket: WebSocket, deps: BrowserSocketDeps): ConnectionSocket {
  return new BrowserSocket(socket, deps);
}

class BrowserSocket implements ConnectionSocket {
  readonly #socket: WebSocket;
  readonly #deps: BrowserSocketDeps;
  readonly #rate: RateLimit;
  #violations = 0;
  #reported = 0;
  #connection: BrowserConnection | undefined;
  /** Another gateway, which has the connection. */
  #home: WebSocket | undefined;
  #isOpening = false;
  #isAlive = true;
  #cancelJoin: () => void;
  #cancelPing: () => void;

  constructor(socket: WebSocket, deps: BrowserSocketDeps) {
    const { timers } = deps;
    this.#socket = socket;
    this.#deps = deps;
    this.#rate = new RateLimit(RATE, timers.now());
    this.#cancelJoin = timers.setTimer(JOIN_TIMEOUT_MS, () =>
      this.#reject(new SocketError('join-timeout', 'The first message must arrive within 5 seconds.')),
    );
    this.#cancelPing = timers.setTimer(PING_INTERVAL_MS, () => this.#ping());
    socket.on('message', (data, isBinary) => this.#receive(data, isBinary));
    socket.on('pong', () => (this.#isAlive = true));
    // A `close` event follows every error.
    socket.on('error', () => undefined);
    socket.on('close', () => this.#closed());
  }

  send(message: ServerMessage): void {
    this.#sendText(JSON.stringify(message));
  }

  #sendText(text: string): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    if (this.#socket.bufferedAmount > MAX_BUFFERED_BYTES) this.#socket.terminate();
    else this.#socket.send(text);
  }

  close(reason: string): void {
    this.#socket.close(NORMAL_CLOSURE, reason);
  }

  #receive(data: RawData, isBinary: boolean): void {
    this.#isAlive = true;
    if (!this.#rate.take(this.#deps.timers.now())) {
      this.#violations += 1;
      const problem = new SocketError('rate-limited', 'Too many messages. Wait.');
      if (this.#violations > MAX_VIOLATIONS) this.#reject(problem);
      else this.send({ problem: describeProblem(problem) });
      return;
    }
    if (this.#home !== undefined) return this.#home.send(data, { binary: isBinary });
    // `data` is a Buffer: `binaryType` keeps its default.
    const json = isBinary ? undefined : parseJson((data as Buffer).toString('utf8'));
    const parsed = clientMessage.safeParse(json);
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      const path = (issue?.path ?? []).map(String).join('/');
      const detail = `The message is invalid: /${path} ${issue?.message ?? 'is invalid'}.`.slice(0, 200);
      this.#answer(readId(json), { problem: { reason: 'bad-message', detail } });
      return;
    }
    const message = parsed.data;
    if (message.do === 'ping') this.#answer(message.id, {});
    else if (message.do === 'join' || message.do === 'resume') void this.#open(message);
    else void this.#request(message);
  }

  async #open(message: FirstMessage): Promise<void> {
    if (this.#isOpening || this.#connection !== undefined) {
      const problem = { reason: 'already-joined', detail: 'This socket has a connection.' };
      return this.#answer(message.id, { problem });
    }
    this.#isOpening = true;
    this.#cancelJoin();
    try {
      const connection = await this.#deps.open(message);
      if (connection instanceof WebSocket) return this.#forward(message, connection);
      this.#connection = connection;
      const joined: JoinedState = connection.attachSocket(this);
      this.#answer(message.id, { joined });
      // The socket may have closed meanwhile.
      if (this.#socket.readyState === this.#socket.OPEN) connection.startEvents();
      else connection.detachSocket(this);
    } catch (error) {
      if (!(error instanceof SocketError)) this.#deps.onError(error, undefined);
      this.#reject(error, message.id);
    } finally {
      this.#isOpening = false;
    }
  }

  /** Passes all messages between the browser and the gateway that has its connection. */
  #forward(message: FirstMessage, home: WebSocket): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return home.close();
    this.#home = home;
    home.on('message', (data) => this.#sendText((data as Buffer).toString('utf8')));
    home.on('close', (code, reason) =>
      code === NORMAL_CLOSURE || code === POLICY_VIOLATION
        ? this.#socket.close(code, reason)
        : this.#socket.terminate(),
    );
    home.send(JSON.stringify(message));
  }

  async #request(message: Exclude<ClientMessage, FirstMessage | { do: 'ping' }>): Promise<void> {
    const connection = this.#connection;
    if (connection === undefined) {
      const problem = { reason: 'not-joined', detail: 'The first message must be join or resume.' };
      return this.#answer(message.id, { problem });
    }
    if (message.do === 'leave') {
      this.#answer(message.id, {});
      return void connection.end('left');
    }
    try {
      this.#answer(message.id, await connection.request(message));
    } catch (error) {
      if (!(error instanceof SocketError)) this.#report(error, connection.facts.id);
      this.#answer(message.id, { problem: describeProblem(error) });
    }
  }

  /** Reports the first errors only: a browser can provoke as many as it likes. */
  #report(error: unknown, connectionId: string): void {
    this.#reported += 1;
    if (this.#reported <= MAX_REPORTED_ERRORS) this.#deps.onError(error, connectionId);
  }

  /** Sends a reply. Without a number, only its problem can be told. */
  #answer(id: number | undefined, answer: Omit<ServerReply, 're'>): void {
    if (id !== undefined) this.send({ re: id, ...answer });
    else if (answer.problem !== undefined) this.send({ problem: answer.problem });
  }

  /** Sends a problem and closes the socket. */
  #reject(error: unknown, id?: number): void {
    const problem = describeProblem(error);
    this.#answer(id, { problem });
    this.#socket.close(POLICY_VIOLATION, problem.reason);
  }

  #ping(): void {
    if (!this.#isAlive) return this.#socket.terminate();
    this.#isAlive = false;
    this.#socket.ping();
    this.#cancelPing = this.#deps.timers.setTimer(PING_INTERVAL_MS, () => this.#ping());
  }

  #closed(): void {
    this.#cancelJoin();
    this.#cancelPing();
    this.#connection?.detachSocket(this);
    this.#home?.close();
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** Returns the number of an invalid request, if it has one. */
function readId(json: unknown): number | undefined {
  const id = typeof json === 'object' && json !== null && 'id' in json ? json.id : undefined;
  return typeof id === 'number' && Number.isInteger(id) && id >= 0 && id <= 2_147_483_647 ? id : undefined;
}
