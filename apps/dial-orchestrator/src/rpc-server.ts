import { ServerRedis } from '@nestjs/microservices';

type Options = ConstructorParameters<typeof ServerRedis>[0];

/** Nest's Redis server, whose two connections (subscriber and publisher) are checked while idle. */
export class RpcServer extends ServerRedis {
  private readonly watch: (client: object) => void;

  constructor(options: Options, watch: (client: object) => void) {
    // Nest accepts no retryStrategy. Without these options it never reconnects.
    super({ ...options, retryAttempts: Number.MAX_SAFE_INTEGER, retryDelay: 500 });
    this.watch = watch;
  }

  override async createRedisClient(): Promise<object> {
    const client = (await super.createRedisClient()) as object;
    this.watch(client);
    return client;
  }
}
