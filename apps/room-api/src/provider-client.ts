import { ClientRedis } from '@nestjs/microservices';
import {
  decodeResponse,
  encodeRequest,
  MUTATING_METHODS,
  ONCE_ONLY_METHODS,
  RPC_TIMEOUT_MS,
  rpcPattern,
  type ProviderRpc,
  type RpcInput,
  type RpcMethod,
  type RpcResponse,
  type RpcResult,
} from '@partyline/conference/providers/rpc-messages';
import { VerdictError } from '@partyline/domain/verdict';
import { watchRedis } from '@partyline/runtime/redis';
import { firstValueFrom, timeout } from 'rxjs';

/** The options of an ioredis client. */
type Connection = ConstructorParameters<typeof ClientRedis>[0];

/** A hanging Redis accepts a connection and does not answer: this bounds the wait for it. */
const CONNECT_TIMEOUT_MS = 1_500;
const RETRY_AFTER_MS = 2_000;

/** Nest's names of these states. */
const DISCONNECTED_STATES: readonly string[] = ['reconnecting', 'disconnected'];

class NoSubscriberError extends Error {}

/**
 * Nest's Redis client, made to fail immediately. Nest leaves a failed publish as an unhandled
 * rejection, which ends the process. It also waits for the whole timeout when the message has no
 * subscriber or the connection breaks.
 */
class RpcClient extends ClientRedis {
  private readonly connection: Connection;

  constructor(connection: Connection) {
    super(connection);
    this.connection = connection;
    this.status.subscribe((status) => {
      if (DISCONNECTED_STATES.includes(status))
        for (const id of this.routingMap.keys()) this.fail(id, new Error('Redis is unavailable'));
    });
  }

  override async createClient(): Promise<unknown> {
    const client = (await super.createClient()) as { publish(channel: string, message: string): Promise<number> };
    watchRedis(client);
    const publish = client.publish.bind(client);
    client.publish = async (channel, message) => {
      const id = String((JSON.parse(message) as { id?: unknown }).id);
      try {
        const subscribers = await publish(channel, message);
        if (subscribers === 0) this.fail(id, new NoSubscriberError());
        return subscribers;
      } catch (error) {
        this.fail(id, error);
        return 0;
      }
    };
    return client;
  }

  /** Reconnects without end; Nest gives up after a number of attempts. */
  override createRetryStrategy(times: number): number | undefined {
    return this.isManuallyClosed ? undefined : this.connection?.retryStrategy?.(times) || 500;
  }

  /**
   * Keeps the few reply channels subscribed: the next call needs no round trip that could fail
   * unnoticed.
   */
  protected override unsubscribeFromChannel(): void {}

  override async close(): Promise<void> {
    this.isManuallyClosed = true;
    this.handleClose();
    for (const client of [this.pubClient, this.subClient] as ({ disconnect(): void } | null | undefined)[])
      client?.disconnect();
  }

  private fail(id: string, err: unknown): void {
    const callback = this.routingMap.get(id);
    this.routingMap.delete(id);
    void callback?.({ err, isDisposed: true });
  }
}

interface ProviderClient extends ProviderRpc {
  close(): Promise<void>;
}

interface ProviderClientOptions {
  /** For producers: fails immediately while Redis is unavailable, instead of queuing commands. */
  readonly connection: Connection;
  /** `REDIS_PREFIX`, the same as the orchestrator's. */
  readonly prefix: string;
  /** `RPC_SECRET`, which signs every call. */
  readonly secret: string;
  /** A random id, 128 bits or more. */
  readonly nextId: () => string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Default `RPC_TIMEOUT_MS`. Shorter only in tests. */
  readonly timeoutMs?: number;
  /** Receives every call without an answer, for the log. */
  readonly onFailure: (method: RpcMethod, error: unknown, tenantId?: string) => void;
}

/**
 * Calls the orchestrator over Redis. A call is answered within 5 s, or throws the orchestrator's
 * verdict or `provider-unreachable` (503): within 2 s if Redis is unavailable or no orchestrator
 * subscribes, after 5 s without an answer. A mutating call that was delivered throws
 * `provider-no-answer` (504) instead, because it may have taken effect.
 */
export function openProviderClient({
  connection,
  prefix,
  secret,
  nextId,
  now,
  timeoutMs = RPC_TIMEOUT_MS,
  onFailure,
}: ProviderClientOptions): ProviderClient {
  const client = new RpcClient(connection);
  // Connects early, so that the first call need not wait. Later calls connect again if this fails.
  client.connect().catch((error: unknown) => onFailure('openMedia', error));

  async function call<M extends RpcMethod>(method: M, input: RpcInput<M>, id?: string): Promise<RpcResult<M>> {
    let response: RpcResponse;
    let isSent = false;
    try {
      await withTimeout(CONNECT_TIMEOUT_MS, client.connect());
      isSent = true;
      const [pattern, nonce] = [rpcPattern(method, prefix), nextId()];
      const fields = { id: id !== undefined && ONCE_ONLY_METHODS.has(method) ? id : nonce, nonce, sentAt: now() };
      const request = encodeRequest(secret, pattern, fields, input);
      response = await firstValueFrom(client.send<RpcResponse>(pattern, request).pipe(timeout(timeoutMs)));
    } catch (error) {
      onFailure(method, error, input.tenantId);
      if (isSent && MUTATING_METHODS.has(method) && !(error instanceof NoSubscriberError)) {
        throw new VerdictError('indeterminate', 'provider-no-answer', 'The provider service did not answer.', {
          fix:
            'The request may have taken effect. Retry it with the same Idempotency-Key. Without a key, check the ' +
            'state first.',
          cause: error,
        });
      }
      throw new VerdictError(
        'upstream',
        'provider-unreachable',
        error instanceof NoSubscriberError
          ? 'The provider service is not running.'
          : 'The provider service cannot be reached.',
        { fix: 'Nothing has changed. Retry in a few seconds.', retryAfterMs: RETRY_AFTER_MS, cause: error },
      );
    }
    return decodeResponse(method, response);
  }

  return {
    openMedia: (input) => call('openMedia', input),
    issueToken: (input) => call('issueToken', input),
    observeRoom: (input) => call('observeRoom', input),
    mute: (input) => call('mute', input),
    sendDigits: (input, id?: string) => call('sendDigits', input, id),
    verifyAccount: (input) => call('verifyAccount', input),
    close: () => client.close(),
  };
}

function withTimeout<T>(ms: number, work: Promise<T>): Promise<T> {
  return Promise.race([
    work,
    new Promise<never>((_, reject) =>
      AbortSignal.timeout(ms).addEventListener('abort', () =>
        reject(new Error(`Redis did not answer within ${ms} ms`)),
      ),
    ),
  ]);
}
