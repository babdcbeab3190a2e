import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { Logger } from '@nestjs/common';
import { ServerRedis } from '@nestjs/microservices';
import { type ProviderRpc, handleRequest, rpcPattern, RPC_METHODS, type RpcRequest, type RpcMethod } from '@partyline/conference/providers/rpc-messages';
import { openAccountVault } from '@partyline/conference/providers/account-vault';
import { openEndpointSecrets } from '@partyline/conference/endpoints/endpoint-secrets';
import { localKeyService, type MasterKey } from '@partyline/conference/crypto/key-service';
import { openPinVault } from '@partyline/conference/pins/pin-vault';
import { openRequestVault } from '@partyline/conference/crypto/request-vault';
import { accountWebhookUrls } from '@partyline/conference/providers/webhook-urls';
import { problemsOf } from '@partyline/contracts/operation';
import { OPERATIONS } from '@partyline/contracts/operations';
import { Problem } from '@partyline/contracts/problem';
import { VerdictError } from '@partyline/domain/verdict';
import { openJobs } from '@partyline/jobs/enqueue';
import { systemClock, systemIds, systemRandomInt, systemSecret } from '@partyline/runtime/system';
import { openLogger } from '@partyline/runtime/logging';
import { openMetrics, openReport } from '@partyline/runtime/metrics';
import { connectRedis, producerOptions, workerOptions } from '@partyline/runtime/redis';
import { startService } from '@partyline/runtime/service';
import { seed } from '@partyline/store/tenants/seed';
import { openStore, type Store } from '@partyline/store/database/store';
import { createTestDatabase } from '@partyline/testing/postgres';
import { createTestRedis } from '@partyline/testing/redis';
import { roomApiModule } from '../app.module.ts';
import { openEventFeed } from '../events/feed.ts';
import { openStreamPlaces } from '../events/stream-places.ts';
import { strictHttp } from '../input/strict-http.ts';
import { openRequestMeter } from '../limits/request-meter.ts';
import { askOverRedis } from '../provider-client.ts';

const NUMBERS = [
  { e164: '+12025550100', language: 'en-US' },
  { e164: '+4930555010', language: 'de-DE' },
] as const;

export const MASTER_KEYS: [MasterKey] = [{ id: 'test', key: Buffer.alloc(32, 9) }];

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  // The body is whatever the API says: tests look into it.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any;
}

export interface Stage {
  readonly url: string;
  readonly store: Store;
  /** Two tenants' keys, and an operator's. */
  readonly keys: { readonly ours: string; readonly theirs: string; readonly operator: string };
  readonly redis: Severable;
  /** Every question that reached the orchestrator's end of the wire. */
  readonly questions: readonly (Pick<RpcRequest, 'id'> & { readonly question: RpcMethod })[];
  /** What could not be had from the orchestrator, as an operator's log would say it. */
  readonly troubles: unknown[];
  /**
   * One request, with our key (at an operator's address, the operator's) unless another (or none: null) is given. A body that is no string is sent as JSON. Every reply is held to the
   * public contract on the way: fields and formats of what was asked for, or a whole problem with a status that the operation names.
   */
  ask(
    method: string,
    path: string,
    given?: { key?: string | null; body?: unknown; type?: string | null; headers?: Readonly<Record<string, string>> },
  ): Promise<Reply>;
  /** Rows of every table that a request could have written to. */
  counts(): Promise<Record<string, number>>;
  stop(): Promise<void>;
}

/** An operator's key, and what the configuration holds of it. */
const operatorKey = (id: string) => {
  const key = `plop_${id}_${randomBytes(32).toString('base64url')}`;
  return { key, entry: { id, hash: createHash('sha256').update(key).digest() } };
};

/** A Redis, a database and an orchestrator that are there are waited for, however busy the machine is. Where it hangs on purpose a stage is `hurried`, as the service is. */
const PATIENCE_MS = 20_000;

export const newKey = (): string =>
  `pl_test_${randomBytes(6).toString('hex')}_${randomBytes(32).toString('base64url')}`;

/** The API in this process, over a real Postgres and a real Redis; the wire to the orchestrator ends at `provider`. */
export async function startStage(
  provider: (store: Store) => ProviderRpc,
  {
    logTo,
    orchestrator = true,
    redisUp = true,
    hurried = false,
    answerWithinMs = hurried ? undefined : PATIENCE_MS,
    patienceMs = PATIENCE_MS,
    heartbeatMs = 200,
    drainS = 1,
    unauthenticatedPerMinute = 100_000,
    trustedProxies = ['127.0.0.1'],
    masterKeys = MASTER_KEYS,
  }: {
    logTo?: Parameters<typeof openLogger>[1];
    orchestrator?: boolean;
    redisUp?: boolean;
    hurried?: boolean;
    answerWithinMs?: number;
    patienceMs?: number;
    heartbeatMs?: number;
    drainS?: number;
    unauthenticatedPerMinute?: number;
    trustedProxies?: readonly string[];
    masterKeys?: typeof MASTER_KEYS | null;
  } = {},
): Promise<Stage> {
  const [database, testRedis] = await Promise.all([createTestDatabase(), createTestRedis()]);
  const store = openStore({ owner: true, url: database.url, max: 5, patienceMs, onError: () => undefined });
  const [operator, colleague] = [operatorKey('oscar'), operatorKey('ophelia')];
  const keys = { ours: newKey(), theirs: newKey(), operator: operator.key };
  await seed(store, {
    tenantId: 'ten_ours',
    tenantName: 'Ours',
    apiKey: keys.ours,
    countries: ['US', 'GB'],
    numbers: NUMBERS,
  });
  await seed(store, {
    tenantId: 'ten_theirs',
    tenantName: 'Theirs',
    apiKey: keys.theirs,
    countries: ['GB'],
    numbers: [],
  });

  const prefix = testRedis.prefix;
  const questions: { question: RpcMethod; id: string }[] = [];
  const answering = orchestrator
    ? await startOrchestrator(testRedis.url, prefix, provider(store), (question, { id }) =>
        questions.push({ question, id }),
      )
    : null;
  const redis = await severable(testRedis.url);
  if (!redisUp) redis.sever();

  const log =
    logTo === undefined
      ? openLogger({ service: 'room-api', level: 'silent' })
      : openLogger({ service: 'room-api', level: 'debug' }, logTo);
  const metrics = openMetrics();
  const troubles: unknown[] = [];
  const connection = { ...producerOptions(redis.url), commandTimeout: hurried ? 1_000 : PATIENCE_MS };
  const jobs = openJobs({ connection, prefix, now: Date.now, onError: () => undefined });
  const asking = askOverRedis({
    connection,
    prefix,
    nextId: () => systemIds.next('req'),
    ...(answerWithinMs === undefined ? {} : { answerWithinMs }),
    onTrouble: (_question, error) => troubles.push(error),
  });
  const counting = connectRedis(redis.url, () => undefined, hurried ? 250 : PATIENCE_MS);
  const feed = openEventFeed({
    store,
    places: openStreamPlaces(counting, prefix),
    nextId: systemSecret,
    now: () => new Date(),
    onError: (error) => troubles.push(error),
    everyMs: 20,
    heartbeatMs,
  });
  const service = await startService({
    config: { service: { HOST: '127.0.0.1', PORT: 0, LOG_LEVEL: 'silent', DRAIN_SECONDS: drainS } },
    trustedProxies,
    log,
    metrics,
    module: roomApiModule({
      requests: openRequestVault(Buffer.alloc(32, 7)),
      requestMeter: openRequestMeter(counting, prefix),
      unauthenticatedPerMinute,
      store,
      jobs,
      provider: asking,
      pins: openPinVault(Buffer.alloc(32, 7)),
      accounts: openAccountVault({ store, keys: masterKeys === null ? null : localKeyService(masterKeys) }),
      accountAddresses: accountWebhookUrls('https://hooks.test'),
      endpointSecrets: openEndpointSecrets(Buffer.alloc(32, 7)),
      addresses: { allowPrivate: false, ports: [443, 80, 8443] },
      feed,
      random: systemRandomInt,
      clock: systemClock,
      ids: systemIds,
      secret: systemSecret,
      operators: [operator.entry, colleague.entry],
      keyEnv: 'test',
      report: openReport(metrics, log),
      version: '0.0.0',
    }),
    prepare: strictHttp,
    ready: { postgres: () => store.pool.query('SELECT 1') },
    drain: () => feed.close(),
    close: async () => {
      counting.disconnect();
      await Promise.allSettled([asking.close(), jobs.close()]);
    },
  });

  if (answering !== null && redisUp) await untilHeard(asking);
  troubles.length = 0;
  questions.length = 0;

  return {
    url: service.url,
    store,
    keys,
    redis,
    questions,
    troubles,
    async ask(
      method,
      path,
      {
        key = path.startsWith('/v1/operator/') ? keys.operator : keys.ours,
        body,
        type = 'application/json',
        headers: more,
      } = {},
    ) {
      const headers: Record<string, string> = { ...more };
      if (key !== null) headers.authorization = `Bearer ${key}`;
      if (body !== undefined && type !== null) headers['content-type'] = type;
      const reply = await fetch(service.url + path, {
        method,
        headers,
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      });
      const text = await reply.text();
      const seen = {
        status: reply.status,
        headers: reply.headers,
        body: text !== '' && reply.headers.get('content-type')?.includes('json') ? (JSON.parse(text) as unknown) : text,
      };
      keepsContract(method, path, seen);
      return seen;
    },
    async counts() {
      const { rows } = await store.pool.query<Record<string, number>>(
        `SELECT (SELECT count(*)::int FROM room) AS rooms, (SELECT count(*)::int FROM pin) AS pins, (SELECT count(*)::int FROM session) AS sessions,
                (SELECT count(*)::int FROM participant) AS participants, (SELECT count(*)::int FROM leg) AS legs, (SELECT count(*)::int FROM outbox) AS events`,
      );
      return rows[0] ?? {};
    },
    async stop() {
      redis.restore();
      await service.stop();
      await answering?.close();
      redis.close();
      await store.close();
      await Promise.all([testRedis.close(), database.drop()]);
    },
  };
}

/** On a busy machine the wire takes a moment to stand; a test is about what comes after. */
async function untilHeard(asking: ProviderRpc, tries = 10): Promise<void> {
  const unheard = await asking.observeRoom({ tenantId: 'ten_nobody', roomId: 'room_none' }).then(
    () => false,
    (error: unknown) => error instanceof VerdictError && error.verdict.reason === 'provider-unreachable',
  );
  if (!unheard) return;
  if (tries === 1) throw new Error('the wire to the orchestrator does not stand');
  await untilHeard(asking, tries - 1);
}

function keepsContract(method: string, path: string, { status, headers, body }: Reply): void {
  const [address = ''] = path.split('?');
  // As the router does: a path that names a part is before one that takes any.
  const here = OPERATIONS.filter((each) =>
    new RegExp(`^${each.path.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(address),
  ).toSorted((a, b) => a.path.split('{').length - b.path.split('{').length);
  const operation = here.find((each) => each.path === here[0]?.path && each.method === method.toLowerCase());
  if (status >= 400) {
    assert.match(headers.get('content-type') ?? '', /^application\/problem\+json/);
    assert.deepEqual(Problem.parse(body), body);
    assert.equal(body.status, status);
    // Each reason by its name, but for the vendor's own; what is no address of ours at all is no operation's.
    const said = operation && (problemsOf(operation)[status] ?? '');
    const { reason } = body as Problem;
    if (said !== undefined && reason !== 'route-not-found')
      assert.ok(
        said.includes(`\`${reason.startsWith('vendor-') ? 'vendor-…' : reason}\``),
        `${operation?.id} is not said to answer ${status} ${reason}`,
      );
  } else if (operation !== undefined) {
    assert.equal(status, operation.reply.status);
    assert.deepEqual(operation.reply.schema.parse(body), body, 'the reply has a field that the contract does not');
  }
}

/** The other end of the wire: Nest's own Redis server, the encoding of libs/conference, and whatever `provider` says. */
async function startOrchestrator(
  url: string,
  prefix: string,
  provider: ProviderRpc,
  heard: (question: RpcMethod, asked: RpcRequest) => void,
): Promise<ServerRedis> {
  // It would tell the terminal that it connects.
  Logger.overrideLogger(false);
  const server = new ServerRedis(workerOptions(url));
  for (const question of RPC_METHODS) {
    server.addHandler(rpcPattern(question, prefix), (asked: RpcRequest) => {
      heard(question, asked);
      return handleRequest(provider, question, asked, () => undefined);
    });
  }
  await new Promise<void>((resolve, reject) => {
    void server.listen((error?: unknown) => (error === undefined ? resolve() : reject(error)));
  });
  return server;
}

/** A Redis that can be cut off and come back, for one client alone. */
interface Severable {
  readonly url: string;
  /** Breaks every connection and refuses new ones. */
  sever(): void;
  /** Takes connections and passes nothing on: a Redis that hangs. */
  stall(): void;
  restore(): void;
  close(): void;
}

async function severable(target: string): Promise<Severable> {
  const { hostname, port, pathname } = new URL(target);
  const sockets = new Set<Socket>();
  let mode: 'through' | 'severed' | 'stalled' = 'through';
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  const server = createServer((near) => {
    if (mode === 'severed') return near.destroy();
    const far = connect(Number(port), hostname);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => (sockets.delete(socket), near.destroy(), far.destroy()));
    }
    near.on('data', (bytes) => mode === 'through' && far.write(bytes));
    far.on('data', (bytes) => mode === 'through' && near.write(bytes));
    return undefined;
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}${pathname}`,
    sever() {
      mode = 'severed';
      cut();
    },
    stall() {
      mode = 'stalled';
    },
    restore() {
      if (mode === 'stalled') cut();
      mode = 'through';
    },
    close() {
      cut();
      server.close();
    },
  };
}

/** An orchestrator's provider that says yes to everything: what the wire carries, not what a vendor does. */
export const agreeable: ProviderRpc = {
  openMedia: async ({ participantId, lifetimeS }) =>
    media(`ms_${participantId}`, participantId, new Date(Date.now() + lifetimeS * 1000)),
  issueToken: async ({ participantId, expiresAt, sessionId }) => media(`ms_${sessionId}`, participantId, expiresAt),
  observeRoom: async () => [],
  mute: async () => ({ legId: 'leg_1' }),
  sendDigits: async () => ({ legId: 'leg_1' }),
  verifyAccount: async () => ({}),
};

const media = (mediaSessionId: string, participantId: string, tokenExpiresAt: Date) => ({
  mediaSessionId,
  token: `token-of-${participantId}`,
  tokenExpiresAt,
  client: { kind: 'unified', application: 'app-1' },
});
