import { JanusError, rejected } from '../janus-error.ts';
import { definedFields, readNumber, readObject, readText, type JsonObject } from '../read-json.ts';
import { parseCoreEvent, parseJsep, type CoreEvent, type IceCandidate, type Jsep } from './core-event.ts';
import type { RequestOptions } from './transport.ts';

/** The connection's side of a handle. */
export interface HandleChannel {
  readonly id: number;
  readonly opaqueId: string;
  /** Sends a request of this handle, and resolves with Janus' answer. */
  send(payload: JsonObject, options: RequestOptions): Promise<JsonObject>;
  /** Forgets the handle, which is detached. */
  release(): void;
  /** Reports an error that a listener threw. The other handles go on. */
  reportListenerError(error: unknown): void;
}

/** What the connection tells a handle. */
export interface HandleReceiver {
  /** Takes a message that Janus sent to this handle. */
  receive(message: JsonObject, isReply: boolean): void;
  /** Reports the end of the handle, once. */
  receiveDetached(): void;
}

/** How a plugin's messages become events. */
export interface PluginDialect<E> {
  /** Prefix of the request names in errors, e.g. `sip`. */
  readonly name: string;
  /** Parses a plugin's message. Never throws; returns an event of its own type for what it does not know. */
  parse(data: JsonObject, jsep: Jsep | undefined): E;
  /**
   * Whether listeners also receive the answers to requests. The SIP plugin answers a request with
   * the first event that carries its transaction, which may be `hangup` or `ringing`.
   */
  readonly emitsReplies: boolean;
}

/** A plugin's answer to a request. */
export interface PluginReply {
  readonly data: JsonObject;
  readonly jsep: Jsep | undefined;
}

export interface PluginRequestOptions {
  readonly jsep?: Jsep | undefined;
  /** For requests that the plugin silently ignores in some states: resolves as soon as Janus has them. */
  readonly untilAck?: boolean;
}

/**
 * One handle of Janus: one plugin and at most one peer connection. Subclasses add the requests of
 * their plugin. Listeners receive the events of the core and of the plugin in Janus' order.
 */
export class JanusHandle<E extends { readonly type: string }> implements HandleReceiver {
  readonly id: number;
  /** Our name for the handle. The admin API reports it as `opaque_id`. */
  readonly opaqueId: string;
  readonly #channel: HandleChannel;
  readonly #dialect: PluginDialect<E>;
  readonly #listeners = new Set<(event: CoreEvent | E) => void>();
  #isDetached = false;

  constructor(channel: HandleChannel, dialect: PluginDialect<E>) {
    this.id = channel.id;
    this.opaqueId = channel.opaqueId;
    this.#channel = channel;
    this.#dialect = dialect;
  }

  get isDetached(): boolean {
    return this.#isDetached;
  }

  /** Calls the listener for every event until the returned function is called. */
  onEvent(listener: (event: CoreEvent | E) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Resolves with the next event of one of the types. Rejects with JanusError when the handle is
   * detached or the time is over.
   */
  waitFor<T extends (CoreEvent | E)['type']>(
    types: readonly T[],
    timeoutMs: number,
  ): Promise<Extract<CoreEvent | E, { readonly type: T }>> {
    return new Promise((resolve, reject) => {
      const wanted: readonly string[] = types;
      const fail = (kind: 'timed-out' | 'detached', text: string): void => {
        finish();
        reject(new JanusError(kind, `wait for ${wanted.join(' or ')}`, text));
      };
      const timer = setTimeout(
        () => fail('timed-out', `Janus reported no ${wanted.join(' or ')} within ${timeoutMs} ms`),
        timeoutMs,
      );
      const stop = this.onEvent((event) => {
        if (wanted.includes(event.type)) {
          finish();
          resolve(event as Extract<CoreEvent | E, { readonly type: T }>);
        } else if (event.type === 'detached') {
          fail('detached', `Janus detached the handle before ${wanted.join(' or ')}`);
        }
      });
      const finish = (): void => {
        clearTimeout(timer);
        stop();
      };
      if (this.#isDetached) fail('detached', 'The handle is detached');
    });
  }

  /** Sends candidates of our side. Without any, it tells Janus that all were sent. */
  async trickle(candidates: readonly IceCandidate[]): Promise<void> {
    const body = candidates.length > 0 ? { candidates } : { candidate: { completed: true } };
    await this.#send({ janus: 'trickle', ...body }, { name: 'trickle', untilAck: true });
  }

  /** Closes the peer connection; the handle stays. A `webrtc-down` event follows. */
  async closePeerConnection(): Promise<void> {
    await this.#send({ janus: 'hangup' }, { name: 'hangup' });
  }

  /**
   * Ends the handle: Janus hangs up its call and leaves its room. Resolves too if Janus does not
   * know the handle any more.
   */
  async detach(): Promise<void> {
    if (this.#isDetached) return;
    try {
      await this.#send({ janus: 'detach' }, { name: 'detach' });
    } catch (error) {
      if (!isGone(error)) throw error;
    }
    this.receiveDetached();
  }

  /** Sends a plugin request and resolves with the plugin's answer, or rejects with its error. */
  protected async requestPlugin(
    request: string,
    fields: JsonObject,
    { jsep, untilAck = false }: PluginRequestOptions = {},
  ): Promise<PluginReply> {
    const name = `${this.#dialect.name}.${request}`;
    const body = { request, ...definedFields(fields) };
    const message = await this.#send(
      { janus: 'message', body, ...(jsep === undefined ? {} : { jsep }) },
      { name, untilAck },
    );
    const data = pluginData(message) ?? {};
    const error = readText(data, 'error');
    if (error !== undefined) throw rejected(name, readNumber(data, 'error_code'), error);
    return { data, jsep: parseJsep(message) };
  }

  receive(message: JsonObject, isReply: boolean): void {
    if (message.janus === 'event') {
      const data = pluginData(message);
      if (!data || (isReply && !this.#dialect.emitsReplies)) return;
      this.#emit(this.#dialect.parse(data, parseJsep(message)));
      return;
    }
    const event = parseCoreEvent(message);
    if (event?.type === 'detached') this.receiveDetached();
    else if (event) this.#emit(event);
  }

  receiveDetached(): void {
    if (this.#isDetached) return;
    this.#isDetached = true;
    this.#channel.release();
    this.#emit({ type: 'detached' });
    this.#listeners.clear();
  }

  #emit(event: CoreEvent | E): void {
    // A copy, because listeners may add and remove listeners.
    for (const listener of Array.from(this.#listeners)) {
      try {
        listener(event);
      } catch (error) {
        this.#channel.reportListenerError(error);
      }
    }
  }

  #send(payload: JsonObject, options: RequestOptions): Promise<JsonObject> {
    if (!this.#isDetached) return this.#channel.send(payload, options);
    return Promise.reject(
      new JanusError('detached', options.name, `The handle is detached, so ${options.name} was not sent`),
    );
  }
}

const NO_SUCH_SESSION = 458;
const NO_SUCH_HANDLE = 459;

function isGone(error: unknown): boolean {
  if (!(error instanceof JanusError)) return false;
  return error.kind === 'detached' || error.code === NO_SUCH_HANDLE || error.code === NO_SUCH_SESSION;
}

function pluginData(message: JsonObject): JsonObject | undefined {
  const plugin = readObject(message, 'plugindata');
  return plugin && readObject(plugin, 'data');
}
