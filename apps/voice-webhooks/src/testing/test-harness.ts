import { signToken } from '@partyline/provider-contract/signature';
import { providerDeps } from '@partyline/provider-contract/testing/provider-deps';
import { createHash, createHmac, randomBytes, randomUUID } from 'node:crypto';
import { openAccountVault } from '@partyline/conference/providers/account-vault';
import { localKeyService } from '@partyline/conference/crypto/key-service';
import { openProviders } from '@partyline/conference/providers/open-providers';
import { openPinVault, type PinVault } from '@partyline/conference/pins/pin-vault';
import { createWebhookUrls } from '@partyline/conference/providers/webhook-urls';
import {
  createCredentials,
  createProviderCredentials,
  type ProviderCredentials,
} from '@partyline/dev/stack/credentials';
import { openJobs } from '@partyline/jobs/enqueue';
import { createAccountBuilder } from '@partyline/provider-registry/from-account';
import { createPlatformProviders } from '@partyline/provider-registry/from-environment';
import { emulatorEnvironment } from '@partyline/dev/stack/service-environment';
import { readConfig } from '@partyline/runtime/config';
import { systemClock, systemIds } from '@partyline/runtime/system';
import { openLogger } from '@partyline/runtime/logging';
import { openMetrics, openReport, type Metrics } from '@partyline/runtime/metrics';
import { producerOptions } from '@partyline/runtime/redis';
import { startService } from '@partyline/runtime/service';
import { insertAccount } from '@partyline/store/provider-accounts/provider-accounts';
import { openStore, type Store } from '@partyline/store/database/store';
import { createTestDatabase } from '@partyline/testing/postgres';
import { createTestRedis } from '@partyline/testing/redis';
import { openAccountLimit } from '../account-limit.ts';
import { createWebhooksModule } from '../webhooks.module.ts';

export const NUMBER = '+12025550100';
export const PIN = '407281935';
const TENANT = 'ten_a';
let createdAccounts = 0;

/** How a webhook differs from what the provider would send. */
export interface Forgery {
  readonly claims?: Record<string, unknown>;
  readonly header?: Record<string, unknown>;
  readonly secret?: string;
  /** Sent instead of the signed body. */
  readonly sentBody?: string;
  /** Sent instead of the token; null sends no header. */
  readonly authorization?: string | null;
  /** The account whose secrets sign the webhook. Default: the platform's account. */
  readonly signer?: ProviderCredentials;
}

/** A tenant's own provider account, with a room on a dedicated number. */
export interface TenantAccount {
  readonly accountId: string;
  readonly tenantId: string;
  readonly number: string;
  readonly pin: string;
  readonly signer: ProviderCredentials;
}

export interface TestHarnessOptions {
  /** Where the log goes, at level debug. Default: nothing is logged. */
  readonly logTo?: Parameters<typeof openLogger>[1];
  /** The time limit of a database statement. Default: the store's own. */
  readonly statementTimeoutMs?: number;
  /** The limit of a tenant's account in this process. Default: the app's own. */
  readonly webhooksPerMinute?: number;
  /** The time after which a webhook is answered 503. Default: the module's own. */
  readonly answerWithinMs?: number;
  /** Returns the URL by which the service reaches the database of the given URL. */
  readonly connectThrough?: (databaseUrl: string) => Promise<string>;
}

export interface TestHarness {
  readonly url: string;
  readonly store: Store;
  readonly metrics: Metrics;
  /** Sends a voice webhook, signed as the provider signs it unless forged. */
  send(
    path: string,
    body: unknown,
    forgery?: Forgery,
  ): Promise<{ status: number; body: unknown; authorization: string | null }>;
  /** Sends a webhook, signed as a media-gateway signs it for an account. */
  sendAsGateway(path: string, account: string, body: unknown): Promise<{ status: number; body: unknown }>;
  sendVideo(body: unknown, forgery?: Forgery, path?: string): Promise<{ status: number; body: unknown }>;
  /** Creates a tenant with its own provider account. */
  createTenantAccount(): Promise<TenantAccount>;
  /** The platform account's secrets and the PIN key. */
  readonly secrets: readonly string[];
  /** Every row that a webhook could change, as one string. */
  dumpState(): Promise<string>;
  stop(): Promise<void>;
}

const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');

function sign(claims: object, header: object, secret: string): string {
  const signed = `${encode(header)}.${encode(claims)}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

/** Creates a room with the PIN `PIN` on a number. */
async function createRoom(
  store: Store,
  pins: PinVault,
  { id, tenantId, number, name }: { id: string; tenantId: string; number: string; name: string },
): Promise<void> {
  const pinId = `pin_${id}`;
  await store.prisma.room.create({
    data: { id, tenant_id: tenantId, name, number, max_participants: 10, max_duration_s: 3600 },
  });
  await store.prisma.pin.create({
    data: {
      id: pinId,
      tenant_id: tenantId,
      room_id: id,
      number,
      lookup: new Uint8Array(pins.lookups(PIN)[0]),
      ciphertext: new Uint8Array(pins.encrypt(PIN, pinId)),
    },
  });
}

/**
 * Starts voice-webhooks in this process on a Postgres and a Redis of its own, with one room on
 * `NUMBER`.
 */
export async function startTestHarness({
  logTo,
  statementTimeoutMs,
  webhooksPerMinute,
  answerWithinMs,
  connectThrough,
}: TestHarnessOptions = {}): Promise<TestHarness> {
  const [database, redis] = await Promise.all([createTestDatabase(), createTestRedis()]);
  const credentials = createCredentials();
  const config = readConfig(
    {
      ...emulatorEnvironment('opentok', 'http://127.0.0.1:9', credentials),
      MEDIA_GATEWAYS: 'gw-1=http://127.0.0.1:9',
      GATEWAY_SECRET: credentials.gatewaySecret,
      GATEWAY_SOCKET_URL: 'ws://127.0.0.1:9/v1/socket',
      KAMAILIO_RPC_URL: 'http://127.0.0.1:9/RPC',
      KAMAILIO_RPC_SECRET: 'rpc',
      PIN_KEYS: `test:${credentials.pinKey}`,
    },
    ['provider', 'pins'],
  );
  const databaseUrl = (await connectThrough?.(database.url)) ?? database.url;
  const openPool = () =>
    openStore({
      owner: true,
      url: databaseUrl,
      max: 4,
      ...(statementTimeoutMs === undefined ? {} : { statementTimeoutMs }),
      onError: () => undefined,
    });
  const [store, callerStore] = [openPool(), openPool()];
  const jobs = openJobs({
    connection: { ...producerOptions(redis.url), commandTimeout: 20_000 },
    prefix: redis.prefix,
    now: Date.now,
    onError: () => undefined,
  });
  const pins = openPinVault(config.pins.PIN_KEYS.map(({ key }) => key));
  await store.prisma.tenant.create({ data: { id: TENANT, name: 'A' } });
  await store.prisma.dial_in_number.create({ data: { e164: NUMBER, guarded: false } });
  await createRoom(store, pins, { id: 'room_a', tenantId: TENANT, number: NUMBER, name: 'A' });

  const metrics = openMetrics();
  const log =
    logTo === undefined
      ? openLogger({ service: 'voice-webhooks', level: 'silent' })
      : openLogger({ service: 'voice-webhooks', level: 'debug' }, logTo);
  const timing = providerDeps(500);
  const vault = openAccountVault({ store: callerStore, keys: localKeyService([{ id: 'test', key: randomBytes(32) }]) });
  const providers = openProviders({
    store: callerStore,
    vault,
    build: createAccountBuilder(config.provider, timing, () => undefined),
    ...createPlatformProviders(config.provider, timing),
  });
  const service = await startService({
    config: readConfig({ HOST: '127.0.0.1', PORT: '0', MANAGEMENT_PORT: '0', DRAIN_SECONDS: '1' }, ['service']),
    log,
    metrics,
    module: createWebhooksModule(
      {
        store,
        callerStore,
        jobs,
        providers,
        pins,
        accountLimit: openAccountLimit(webhooksPerMinute),
        clock: systemClock,
        ids: systemIds,
        webhooks: createWebhookUrls('https://hooks.test'),
        report: openReport(metrics, log),
      },
      answerWithinMs,
    ),
    removesProtoKeys: true,
    ready: {},
    drain: async () => undefined,
    close: async () => jobs.close(),
  });

  const { provider: platformAccount } = credentials;
  const post = async (
    path: string,
    body: unknown,
    base: Record<string, unknown>,
    signingSecret: string,
    forgery: Forgery,
  ) => {
    const raw = typeof body === 'string' ? body : JSON.stringify(body);
    const claims = {
      iat: Math.floor(Date.now() / 1000),
      jti: randomUUID(),
      iss: 'Vonage',
      payload_hash: createHash('sha256').update(raw).digest('hex'),
      ...base,
      ...forgery.claims,
    };
    const authorization =
      forgery.authorization === undefined
        ? `Bearer ${sign(claims, { alg: 'HS256', typ: 'JWT', ...forgery.header }, forgery.secret ?? signingSecret)}`
        : forgery.authorization;
    const reply = await fetch(service.url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(authorization === null ? {} : { authorization }) },
      body: forgery.sentBody ?? raw,
    });
    return { status: reply.status, body: (await reply.json()) as unknown, authorization };
  };

  return {
    url: service.url,
    store,
    metrics,
    secrets: [
      platformAccount.signatureSecret,
      platformAccount.callbackSecret,
      platformAccount.accountSecret,
      platformAccount.projectSecret,
      credentials.pinKey,
    ],
    send: (path, body, { signer = platformAccount, ...forgery } = {}) =>
      post(
        path,
        body,
        { api_key: signer.accountKey, application_id: signer.applicationId },
        signer.signatureSecret,
        forgery,
      ),
    sendAsGateway(path, account, body) {
      const raw = JSON.stringify(body);
      const claims = {
        iss: 'partyline-media-gateway',
        application_id: account,
        iat: Math.floor(Date.now() / 1000),
        jti: randomUUID(),
        payload_hash: createHash('sha256').update(raw).digest('hex'),
      };
      const authorization = `Bearer ${signToken(claims, credentials.gatewaySecret)}`;
      return post(path, raw, {}, '', { authorization });
    },
    sendVideo: (body, { signer = platformAccount, ...forgery } = {}, path = '/v1/video/events') =>
      post(path, body, {}, signer.callbackSecret, forgery),
    async createTenantAccount() {
      const signer = createProviderCredentials();
      const [tenantId, accountId, roomId] = [systemIds.next('ten'), systemIds.next('acct'), systemIds.next('room')];
      const number = `+12025551${String((createdAccounts += 1)).padStart(3, '0')}`;
      const {
        accountKey: apiKey,
        accountSecret: apiSecret,
        applicationId,
        privateKey,
        signatureSecret,
        callbackSecret,
      } = signer;
      await store.prisma.tenant.create({ data: { id: tenantId, name: 'Own' } });
      const ciphertext = await vault.encrypt(
        { tenantId, accountId, voiceKind: 'vonage', mediaKind: 'unified', version: 1 },
        {
          callbackSecret,
          voice: { kind: 'vonage', apiKey, apiSecret, applicationId, privateKey, signatureSecret },
          video: { kind: 'unified' },
        },
      );
      await insertAccount(
        store,
        tenantId,
        {
          id: accountId,
          label: 'Own',
          voiceKind: 'vonage',
          mediaKind: 'unified',
          applicationId,
          voiceRegion: null,
          sipDomain: null,
          voiceKeyEnd: '',
          mediaKeyEnd: null,
          trunk: { host: null, transport: null, addresses: [] },
          ciphertext,
        },
        1,
      );
      await store.prisma.dial_in_number.create({
        data: { e164: number, guarded: false, dedicated_to: tenantId, account_id: accountId },
      });
      await createRoom(store, pins, { id: roomId, tenantId, number, name: 'Own' });
      return { accountId, tenantId, number, pin: PIN, signer };
    },
    async dumpState() {
      const rows = await Promise.all(
        ['leg', 'session', 'participant', 'observation', 'outbox'].map(
          async (table) => (await store.pool.query(`SELECT * FROM ${table} ORDER BY id`)).rows as unknown[],
        ),
      );
      return JSON.stringify(rows);
    },
    async stop() {
      await service.stop();
      await Promise.all([store.close(), callerStore.close()]);
      await Promise.all([redis.close(), database.drop()]);
    },
  };
}
