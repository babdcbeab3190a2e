import { ClientRedis } from '@nestjs/microservices';
import { type ProviderRpc, MUTATING_METHODS, RPC_TIMEOUT_MS, decodeResponse, ONCE_ONLY_METHODS, encodeRequest, rpcPattern, type RpcResult, type RpcResponse, type RpcInput, type RpcMethod } from '@partyline/conference/providers/rpc-messages';
import { VerdictError } from '@partyline/domain/verdict';
import { firstValueFrom, timeout } from 'rxjs';

/** How a Redis connection is made; an ioredis client takes it. */
type Connection = ConstructorParameters<typeof ClientRedis>[0];

/** A half-dead Redis accepts a connection and says nothing: asking does not wait longer than this for it. */
const CONNECT_WITHIN_MS = 1_500;
const RETRY_AFTER_MS = 2_000;

/** Nest's words for it. */
const BROKEN: readonly string[] = ['reconnecting', 'disconnected'];

class NobodyListens extends Error {}

/**
 * Nest's Redis client, made to fail at once. As it comes, a question that cannot be published is a promise that nobody awaits: it ends the
 * process, and the one who asked waits for the whole timeout. One that nobody hears (Redis says how many did) or that is under way when the
 * connection breaks waits as long.
 */
class QuestionClient extends ClientRedis {
  private readonly connection: Connection;

  constructor(connection: Connection) {
    super(connection);
    this.connection = connection;
    this.status.subscribe((status) => {
      if (BROKEN.includes(status))
        for (const id of this.routingMap.keys()) this.fail(id, new Error('the connection to Redis broke'));
    });
  }

  override async createClient(): Promise<unknown> {
    const client = (await super.createClient()) as { publish(channel: string, message: string): Promise<number> };
    const publish = client.publish.bind(client);
    client.publish = async (channel, message) => {
      const id = String((JSON.parse(message) as { id?: unknown }).id);
      try {
        const heard = await publish(channel, message);
        if (heard === 0) this.fail(id, new NobodyListens());
        return heard;
      } catch (error) {
        this.fail(id, error);
        return 0;
      }
    };
    return client;
  }

  /** For ever, as our own connections do; Nest's way gives up after a number of tries. */
  override createRetryStrategy(times: number): number | undefined {
    return this.isManuallyClosed ? undefined : this.connection?.retryStrategy?.(times) || 500;
  }

  /** The few reply channels stay subscribed: asking again needs no round trip, and there is no request that could fail unheard. */
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

/**
 * Asks the orchestrator over Redis. Each question is answered within 5 s or throws what the orchestrator threw, or
 * `provider-unreachable` (503): within 2 s when Redis is away or no orchestrator listens, after 5 s when it does not answer. One that does something to a connection
 * and was heard throws `provider-no-answer` (504) instead: it may have been done.
 * @param connection for producers: it fails at once rather than queue while Redis is away
 * @param prefix `REDIS_PREFIX`, the same as the orchestrator's
 * @param nextId gives a random id for a question, 128 bits or more
 * @param answerWithinMs shorter only in tests
 * @param onTrouble what an operator should know of a question that got no answer
 */
export function askOverRedis({
  connection,
  prefix,
  nextId,
  answerWithinMs = RPC_TIMEOUT_MS,
  onTrouble,
}: {
  connection: Connection;
  prefix: string;
  nextId: () => string;
  answerWithinMs?: number;
  onTrouble: (question: RpcMethod, error: unknown, tenantId?: string) => void;
}): ProviderClient {
  const client = new QuestionClient(connection);
  // The first question need not wait for it; while Redis is away every one tries again.
  client.connect().catch((error: unknown) => onTrouble('openMedia', error));

  async function ask<Q extends RpcMethod>(question: Q, input: RpcInput<Q>, id?: string): Promise<RpcResult<Q>> {
    let answered: RpcResponse;
    let sent = false;
    try {
      await within(CONNECT_WITHIN_MS, client.connect());
      sent = true;
      const asked = encodeRequest(id !== undefined && ONCE_ONLY_METHODS.has(question) ? id : nextId(), input);
      answered = await firstValueFrom(
        client.send<RpcResponse>(rpcPattern(question, prefix), asked).pipe(timeout(answerWithinMs)),
      );
    } catch (error) {
      onTrouble(question, error, input.tenantId);
      if (sent && MUTATING_METHODS.has(question) && !(error instanceof NobodyListens)) {
        throw new VerdictError(
          'indeterminate',
          'provider-no-answer',
          'The service that talks to the provider gave no answer.',
          {
            fix: 'It may have been done. Sent again with the Idempotency-Key that it had, it is not done twice; without one, look first.',
            cause: error,
          },
        );
      }
      throw new VerdictError(
        'upstream',
        'provider-unreachable',
        error instanceof NobodyListens
          ? 'No service that talks to the provider is running.'
          : 'The service that talks to the provider cannot be reached.',
        {
          fix: 'Nothing was made. Try again in a few seconds.',
          retryAfterMs: RETRY_AFTER_MS,
          cause: error,
        },
      );
    }
    return decodeResponse(question, answered);
  }

  return {
    openMedia: (input) => ask('openMedia', input),
    issueToken: (input) => ask('issueToken', input),
    observeRoom: (input) => ask('observeRoom', input),
    mute: (input) => ask('mute', input),
    sendDigits: (input, id?: string) => ask('sendDigits', input, id),
    verifyAccount: (input) => ask('verifyAccount', input),
    close: () => client.close(),
  };
}

function within<T>(ms: number, work: Promise<T>): Promise<T> {
  return Promise.race([
    work,
    new Promise<never>((_, reject) =>
      AbortSignal.timeout(ms).addEventListener('abort', () =>
        reject(new Error(`Redis did not answer within ${ms} ms`)),
      ),
    ),
  ]);
}
