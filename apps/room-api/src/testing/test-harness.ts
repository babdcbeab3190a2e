import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { ServerRedis } from '@nestjs/microservices';
import { localKeyService, type MasterKey } from '@partyline/conference/crypto/key-service';
import { openSipPasswords } from '@partyline/conference/sip-accounts/sip-passwords';
import { openRequestVault } from '@partyline/conference/crypto/request-vault';
import { openEndpointSecrets } from '@partyline/conference/endpoints/endpoint-secrets';
import { openPinVault } from '@partyline/conference/pins/pin-vault';
import { openAccountVault } from '@partyline/conference/providers/account-vault';
import {
  handleRequest,
  RPC_METHODS,
  rpcPattern,
  type ProviderRpc,
  type RpcMethod,
  type RpcRequest,
} from '@partyline/conference/providers/rpc-messages';
import { checkRequest } from '@partyline/conference/providers/rpc-signature';
import { accountWebhookUrls } from '@partyline/conference/providers/webhook-urls';
import { problemsOf } from '@partyline/contracts/operation';
import { OPERATIONS } from '@partyline/contracts/operations';
import { Problem } from '@partyline/contracts/problem';
import { PROVIDER_REASONS } from '@partyline/domain/reasons';
import { VerdictError } from '@partyline/domain/verdict';
import { openJobs } from '@partyline/jobs/enqueue';
import { readConfig } from '@partyline/runtime/config';
import { openLogger } from '@partyline/runtime/logging';
import { openMetrics, openReport } from '@partyline/runtime/metrics';
import { connectRedis, producerOptions, workerOptions, watchRedis } from '@partyline/runtime/redis';
import { startService } from '@partyline/runtime/service';
import { systemClock, systemIds, systemRandomInt, systemSecret } from '@partyline/runtime/system';
import { openWriteCheck } from '@partyline/store/database/check-writes';
import { openStore, type Store } from '@partyline/store/database/store';
import { seed } from '@partyline/store/tenants/seed';
import { createTestDatabase } from '@partyline/testing/postgres';
import { createTestRedis } from '@partyline/testing/redis';
import { vi } from 'vitest';
import { roomApiModule } from '../app.module.ts';
import { openEventFeed } from '../events/feed.ts';
import { openStreamSlots } from '../events/stream-slots.ts';
import { enforceStrictHttp } from '../input/strict-http.ts';
import { openRequestMeter } from '../limits/request-meter.ts';
import { openProviderClient } from '../provider-client.ts';
import { VERSION } from '../version.ts';
import { openRedisProxy, type RedisProxy } from './redis-proxy.ts';

const NUMBERS = [
  { e164: '+12025550100', language: 'en-US' },
  { e164: '+4930555010', language: 'de-DE' },
] as const;

export const MASTER_KEYS: [MasterKey] = [{ id: 'test', key: Buffer.alloc(32, 9) }];

const RPC_SECRET = randomBytes(32).toString('base64url');

/** Generous, so that a busy machine does not fail a test. */
const LONG_TIMEOUT_MS = 20_000;

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  // Tests read arbitrary fields of the body.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any;
}

export interface TestHarnessOptions {
  /** Where the log goes, at level debug. Default: nothing is logged. */
  readonly logTo?: Parameters<typeof openLogger>[1];
  /** Whether an orchestrator answers provider calls. Default true. */
  readonly orchestrator?: boolean;
  /** Whether Redis is available at the start. Default true. */
  readonly redisUp?: boolean;
  /**
   * Use the short Redis timeouts of production, for tests with an unavailable Redis. Default false.
   */
  readonly shortTimeouts?: boolean;
  /** The timeout of provider calls. */
  readonly rpcTimeoutMs?: number;
  /** The time limit of a database statement. */
  readonly statementTimeoutMs?: number;
  /** The heartbeat of event streams. Default 200. */
  readonly heartbeatMs?: number;
  /** How long `stop` waits for open requests, in seconds. Default 1. */
  readonly drainS?: number;
  readonly unauthenticatedPerMinute?: number;
  readonly trustedProxies?: readonly string[];
  /** Null: the platform supports no provider accounts of tenants. */
  readonly masterKeys?: typeof MASTER_KEYS | null;
  /** Null: a deployment without SIP servers. */
  readonly sipAddress?: string | null;
}

export interface TestHarness {
  readonly url: string;
  readonly store: Store;
  /** API keys of two tenants, and an operator key. */
  readonly keys: {
    readonly ours: string;
    readonly theirs: string;
    readonly operator: string;
    /** A key that expires in the far future. */
    readonly secondOperator: string;
    readonly expiredOperator: string;
  };
  readonly redis: RedisProxy;
  /** Every call that reached the orchestrator. */
  readonly rpcRequests: readonly (Pick<RpcRequest, 'id'> & { readonly method: RpcMethod })[];
  /** Every provider call without an answer, and every failed read of the event feed. */
  readonly failures: unknown[];
  /**
   * Sends one request. Default key: ours, or the operator's for operator paths; null sends none. A
   * body that is not a string is sent as JSON. Every reply is compared with the contract: the
   * schema of the reply, or a problem with a reason that the operation lists.
   */
  request(
    method: string,
    path: string,
    given?: { key?: string | null; body?: unknown; type?: string | null; headers?: Readonly<Record<string, string>> },
  ): Promise<Reply>;
  /** The number of rows in each table that a request could have written to. */
  countRows(): Promise<Record<string, number>>;
  stop(): Promise<void>;
}

/** An operator key, and its entry in the configuration. */
const createOperatorKey = (id: string, expiresAt: Date | null = null) => {
  const key = `plop_${id}_${randomBytes(32).toString('base64url')}`;
  return { key, entry: { id, hash: createHash('sha256').update(key).digest(), expiresAt } };
};

export const generateKey = (): string =>
  `pl_test_${randomBytes(6).toString('hex')}_${randomBytes(32).toString('base64url')}`;

/**
 * Starts the API in this process with a real Postgres and a real Redis.
 * @param createProvider the provider that the orchestrator's end of the RPC calls
 */
export async function startTestHarness(
  createProvider: (store: Store) => ProviderRpc,
  {
    logTo,
    orchestrator = true,
    redisUp = true,
    shortTimeouts = false,
    rpcTimeoutMs = shortTimeouts ? undefined : LONG_TIMEOUT_MS,
    statementTimeoutMs = LONG_TIMEOUT_MS,
    heartbeatMs = 200,
    drainS = 1,
    unauthenticatedPerMinute = 100_000,
    trustedProxies = ['127.0.0.1'],
    masterKeys = MASTER_KEYS,
    sipAddress = 'sip.example.com:5060',
  }: TestHarnessOptions = {},
): Promise<TestHarness> {
  const [database, testRedis] = await Promise.all([createTestDatabase(), createTestRedis()]);
  const store = openStore({ owner: true, url: database.url, max: 5, statementTimeoutMs, onError: () => undefined });
  const [operator, secondOperator] = [createOperatorKey('oscar'), createOperatorKey('ophelia', new Date('2999-01-01'))];
  const expiredOperator = createOperatorKey('oz', new Date('2020-01-01'));
  const keys = {
    ours: generateKey(),
    theirs: generateKey(),
    operator: operator.key,
    secondOperator: secondOperator.key,
    expiredOperator: expiredOperator.key,
  };
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
  const rpcRequests: { method: RpcMethod; id: string }[] = [];
  const rpcServer = orchestrator
    ? await startOrchestrator(testRedis.url, prefix, createProvider(store), (method, { id }) =>
        rpcRequests.push({ method, id }),
      )
    : null;
  const redis = await openRedisProxy(testRedis.url);
  if (!redisUp) redis.sever();

  const log =
    logTo === undefined
      ? openLogger({ service: 'room-api', level: 'silent' })
      : openLogger({ service: 'room-api', level: 'debug' }, logTo);
  const metrics = openMetrics();
  const failures: unknown[] = [];
  const connection = { ...producerOptions(redis.url), commandTimeout: shortTimeouts ? 1_000 : LONG_TIMEOUT_MS };
  const jobs = openJobs({ connection, prefix, now: Date.now, onError: () => undefined, watch: watchRedis });
  const provider = openProviderClient({
    connection,
    prefix,
    secret: RPC_SECRET,
    nextId: () => systemIds.next('req'),
    now: Date.now,
    ...(rpcTimeoutMs === undefined ? {} : { timeoutMs: rpcTimeoutMs }),
    onFailure: (_method, error) => failures.push(error),
  });
  const countingRedis = connectRedis(redis.url, () => undefined, shortTimeouts ? 250 : LONG_TIMEOUT_MS);
  const feed = openEventFeed({
    store,
    slots: openStreamSlots(countingRedis, prefix),
    nextId: systemSecret,
    now: () => new Date(),
    onError: (error) => failures.push(error),
    pollMs: 20,
    heartbeatMs,
  });
  const service = await startService({
    config: readConfig(
      {
        HOST: '127.0.0.1',
        PORT: '0',
        MANAGEMENT_PORT: '0',
        DRAIN_SECONDS: String(drainS),
        TRUSTED_PROXIES: trustedProxies.join(','),
      },
      ['service'],
    ),
    log,
    metrics,
    module: roomApiModule({
      requests: openRequestVault([Buffer.alloc(32, 7)]),
      requestMeter: openRequestMeter(countingRedis, prefix),
      unauthenticatedPerMinute,
      store,
      jobs,
      provider,
      pins: openPinVault([Buffer.alloc(32, 7)]),
      accounts: openAccountVault({ store, keys: masterKeys === null ? null : localKeyService(masterKeys) }),
      sipPasswords: openSipPasswords({ store, keys: masterKeys === null ? null : localKeyService(masterKeys) }),
      connectionDetails: {
        webhookUrls: accountWebhookUrls('https://hooks.test'),
        sipAddress,
      },
      endpointSecrets: openEndpointSecrets([Buffer.alloc(32, 7)]),
      addresses: { allowPrivate: false, ports: [443, 80, 8443] },
      feed,
      random: systemRandomInt,
      clock: systemClock,
      ids: systemIds,
      secret: systemSecret,
      operators: [operator.entry, secondOperator.entry, expiredOperator.entry],
      keyEnv: 'test',
      report: openReport(metrics, log),
      version: VERSION,
    }),
    prepare: enforceStrictHttp,
    ready: { postgres: openWriteCheck(store) },
    drain: () => feed.close(),
    close: async () => {
      countingRedis.disconnect();
      await Promise.allSettled([provider.close(), jobs.close()]);
    },
  });

  if (rpcServer !== null && redisUp) await waitForOrchestrator(provider);
  failures.length = 0;
  rpcRequests.length = 0;

  return {
    url: service.url,
    store,
    keys,
    redis,
    rpcRequests,
    failures,
    async request(
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
      const response = await fetch(service.url + path, {
        method,
        headers,
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      });
      const text = await response.text();
      const isJson = text !== '' && response.headers.get('content-type')?.includes('json');
      const reply = {
        status: response.status,
        headers: response.headers,
        body: isJson ? (JSON.parse(text) as unknown) : text,
      };
      assertContract(method, path, reply);
      return reply;
    },
    async countRows() {
      const { rows } = await store.pool.query<Record<string, number>>(
        `SELECT
           (SELECT count(*)::int FROM room) AS rooms,
           (SELECT count(*)::int FROM pin) AS pins,
           (SELECT count(*)::int FROM session) AS sessions,
           (SELECT count(*)::int FROM participant) AS participants,
           (SELECT count(*)::int FROM leg) AS legs,
           (SELECT count(*)::int FROM outbox) AS events`,
      );
      return rows[0] ?? {};
    },
    async stop() {
      redis.restore();
      await service.stop();
      await rpcServer?.close();
      redis.close();
      await store.close();
      await Promise.all([testRedis.close(), database.drop()]);
    },
  };
}

/** Waits until the RPC connection is established, which takes long on a busy machine. */
async function waitForOrchestrator(provider: ProviderRpc): Promise<void> {
  await vi.waitFor(
    async () => {
      const error: unknown = await provider
        .observeRoom({ tenantId: 'ten_unknown', roomId: 'room_none' })
        .catch((reason: unknown) => reason);
      assert.ok(!(error instanceof VerdictError && error.verdict.reason === 'provider-unreachable'));
    },
    { timeout: 60_000, interval: 50 },
  );
}

/** Fails if the reply does not match its operation. */
function assertContract(method: string, path: string, { status, headers, body }: Reply): void {
  const [address = ''] = path.split('?');
  // As in the router, a literal path segment has priority over a parameter.
  const candidates = OPERATIONS.filter((each) =>
    new RegExp(`^${each.path.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(address),
  ).toSorted((a, b) => a.path.split('{').length - b.path.split('{').length);
  const operation = candidates.find(
    (each) => each.path === candidates[0]?.path && each.method === method.toLowerCase(),
  );
  if (status >= 400) {
    assert.match(headers.get('content-type') ?? '', /^application\/problem\+json/);
    assert.deepEqual(Problem.parse(body), body);
    assert.equal(body.status, status);
    assert.ok((body as Problem).fix, 'the problem has no fix');
    assert.ok(headers.get('x-request-id'));
    // `route-not-found` belongs to no operation.
    const { reason } = body as Problem;
    if (operation !== undefined && reason !== 'route-not-found') {
      const listed = reason.startsWith('upstream-') ? PROVIDER_REASONS.pattern : reason;
      assert.ok(
        Object.hasOwn(problemsOf(operation)[status] ?? {}, listed),
        `${operation.id} does not list ${status} ${reason}`,
      );
    }
  } else if (operation !== undefined) {
    assert.equal(status, operation.reply.status);
    assert.deepEqual(operation.reply.schema.parse(body), body, 'the reply has a field that the contract does not have');
  }
}

/** The orchestrator's end of the RPC: Nest's Redis server and the encoding of libs/conference. */
async function startOrchestrator(
  url: string,
  prefix: string,
  provider: ProviderRpc,
  onRequest: (method: RpcMethod, request: RpcRequest) => void,
): Promise<ServerRedis> {
  // Nest would log its connections to the terminal.
  Logger.overrideLogger(false);
  const server = new ServerRedis(workerOptions(url));
  for (const method of RPC_METHODS) {
    const pattern = rpcPattern(method, prefix);
    server.addHandler(pattern, (request: RpcRequest) => {
      assert.equal(checkRequest({ RPC_SECRET }, pattern, request, Date.now()), null);
      onRequest(method, request);
      return handleRequest(provider, method, request, () => undefined);
    });
  }
  await new Promise<void>((resolve, reject) => {
    void server.listen((error?: unknown) => (error === undefined ? resolve() : reject(error)));
  });
  return server;
}

/** A provider that accepts every call. */
export const acceptingProvider: ProviderRpc = {
  openMedia: async ({ participantId, lifetimeS }) =>
    openedMedia(`ms_${participantId}`, participantId, new Date(Date.now() + lifetimeS * 1000)),
  issueToken: async ({ participantId, expiresAt, sessionId }) =>
    openedMedia(`ms_${sessionId}`, participantId, expiresAt),
  observeRoom: async () => [],
  mute: async () => ({ legId: 'leg_1' }),
  sendDigits: async () => ({ legId: 'leg_1' }),
  verifyAccount: async () => ({}),
};

const openedMedia = (mediaSessionId: string, participantId: string, tokenExpiresAt: Date) => ({
  mediaSessionId,
  token: `token-of-${participantId}`,
  tokenExpiresAt,
  client: { kind: 'unified', application: 'app-1' },
});
