import { backoff } from '@partyline/domain/backoff';
import { checkJanus } from '@partyline/janus/admin/check-janus';
import { connectJanus, type ConnectJanusOptions, type JanusConnection } from '@partyline/janus/connection';
import { Conferences, type ConferenceDeps } from './conferences/conferences.ts';
import { openSipLines, type IncomingCall, type SipLineOptions, type SipLines } from './sip/sip-lines.ts';
import type { SipHandle } from '@partyline/janus/sip/sip-handle';

export interface JanusLinkOptions {
  readonly janus: Omit<ConnectJanusOptions, 'onClosed' | 'onListenerError'>;
  readonly lines: SipLineOptions;
  readonly conferences: ConferenceDeps;
  readonly sleep: (ms: number) => Promise<void>;
  readonly onIncoming: (handle: SipHandle, call: IncomingCall) => void;
  /** The link is up or down. `reason` says why it is down. */
  readonly onChange: (isUp: boolean, reason: string) => void;
  /** An attempt to connect has failed; the next one follows. */
  readonly onProblem: (problem: string) => void;
  readonly onError: (error: unknown) => void;
}

/** A connection to Janus with everything that lives on it. */
export interface LinkedJanus {
  readonly connection: JanusConnection;
  readonly conferences: Conferences;
  readonly lines: SipLines;
}

/** What a gateway needs of Janus. */
export const PLUGINS = ['janus.plugin.sip', 'janus.plugin.audiobridge', 'janus.plugin.videoroom'];
const RETRY = { firstMs: 200, maxMs: 5_000 };

/** Keeps one connection to Janus: connects again after each loss, until `close`. */
export class JanusLink {
  readonly #options: JanusLinkOptions;
  #current: LinkedJanus | undefined;
  #connection: JanusConnection | undefined;
  #problem: string | undefined;
  #isClosed = false;

  constructor(options: JanusLinkOptions) {
    this.#options = options;
  }

  /** The connection while it is up. */
  get current(): LinkedJanus | undefined {
    return this.#current;
  }

  /** Why there is no connection, for an operator; undefined before the first attempt, and while there is one. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Connects, and stays connected. Resolves after `close`. Never rejects. */
  async run(): Promise<void> {
    for (let failures = 0; !this.#isClosed;) {
      try {
        const connection = await this.#connect();
        failures = 0;
        this.#problem = undefined;
        const reason = await connection.closed;
        this.#current = undefined;
        this.#problem = `The connection to Janus is lost: ${reason}.`;
        if (!this.#isClosed) this.#options.onChange(false, reason);
      } catch (error) {
        failures += 1;
        await this.#connection?.close();
        if (this.#isClosed) return;
        this.#problem = error instanceof Error ? error.message : String(error);
        this.#options.onProblem(this.#problem);
        await this.#options.sleep(backoff(failures, RETRY));
      }
    }
  }

  /** Ends the session at Janus, with all calls and rooms that it still has. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#connection?.close();
  }

  async #connect(): Promise<JanusConnection> {
    const { janus, lines, conferences, onIncoming, onChange, onError } = this.#options;
    const check = await checkJanus({ ...janus, adminKey: conferences.adminKey, plugins: PLUGINS });
    if (!check.isUsable) throw new Error(check.message);
    const connection = await connectJanus({ ...janus, onListenerError: onError });
    this.#connection = connection;
    // Closed while it connected.
    if (this.#isClosed) await connection.close();
    const rooms = new Conferences(connection, conferences);
    await rooms.destroyLeftRooms();
    this.#current = {
      connection,
      conferences: rooms,
      lines: await openSipLines(connection, lines, onIncoming),
    };
    onChange(true, 'connected');
    return connection;
  }
}
