import { createHash, createHmac, randomBytes, randomUUID } from 'node:crypto';
import { openAccountVault } from '@partyline/conference/providers/account-vault';
import { localKeyService } from '@partyline/conference/crypto/key-service';
import { openProviders } from '@partyline/conference/providers/open-providers';
import { openPinVault } from '@partyline/conference/pins/pin-vault';
import { webhookUrls } from '@partyline/conference/providers/webhook-urls';
import { createCredentials, createVendor, type VendorCredentials } from '@partyline/dev/stack/credentials';
import { openJobs } from '@partyline/jobs/enqueue';
import { accountBuilder } from '@partyline/provider-registry/from-account';
import { createProviders } from '@partyline/provider-registry/registry';
import { settingsFromEnvironment } from '@partyline/provider-registry/from-environment';
import { emulatedVendor } from '@partyline/dev/stack/service-environment';
import { readConfig } from '@partyline/runtime/config';
import { systemClock, systemIds } from '@partyline/runtime/edges';
import { openLogger } from '@partyline/runtime/logging';
import { openMetrics, openReport, type Metrics } from '@partyline/runtime/metrics';
import { producerOptions } from '@partyline/runtime/redis';
import { startService } from '@partyline/runtime/service';
import { insertAccount } from '@partyline/store/provider-accounts/provider-accounts';
import { openStore, type Store } from '@partyline/store/database/store';
import { createTestDatabase } from '@partyline/testing/postgres';
import { createTestRedis } from '@partyline/testing/redis';
import { webhooksModule } from '../webhooks.module.ts';

export const NUMBER = '+12025550100';
export const PIN = '407281935';
const TENANT = 'ten_a';
let brought = 0;

/** What a carrier's token may have wrong, and how the body differs from what was signed. */
export interface Forgery {
  readonly claims?: Record<string, unknown>;
  readonly header?: Record<string, unknown>;
  readonly secret?: string;
  /** Sent instead of what was signed. */
  readonly sentBody?: string;
  /** Sent instead of the token; null: none. */
  readonly authorization?: string | null;
  /** Whose secrets sign it; the platform's account's otherwise. */
  readonly signer?: VendorCredentials;
}

/** A tenant's own account, with a room on a number of its own. */
export interface OwnAccount {
  readonly accountId: string;
  readonly tenantId: string;
  readonly number: string;
  readonly pin: string;
  readonly signer: VendorCredentials;
}

export interface Stage {
  readonly url: string;
  readonly store: Store;
  readonly metrics: Metrics;
  /** A webhook as the carrier signs it, or as a forger does. Gives status and body. */
  send(
    path: string,
    body: unknown,
    forgery?: Forgery,
  ): Promise<{ status: number; body: unknown; authorization: string | null }>;
  sendVideo(body: unknown, forgery?: Forgery, path?: string): Promise<{ status: number; body: unknown }>;
  /** A tenant with an account of its own. */
  bringAccount(): Promise<OwnAccount>;
  /** What signs the carrier's and the video vendor's webhooks, and what PINs are kept by. */
  readonly secrets: readonly string[];
  /** All that a webhook could change, as one text. */
  state(): Promise<string>;
  stop(): Promise<void>;
}

const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');

function sign(claims: object, header: object, secret: string): string {
  const signed = `${encode(header)}.${encode(claims)}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

/** voice-webhooks in this process, over a real Postgres and Redis, with one room on one number. */
export async function startStage({
  logTo,
  patienceMs,
}: { logTo?: Parameters<typeof openLogger>[1]; patienceMs?: number } = {}): Promise<Stage> {
  const [database, redis] = await Promise.all([createTestDatabase(), createTestRedis()]);
  const credentials = createCredentials();
  const config = readConfig(
    { ...emulatedVendor('opentok', 'http://127.0.0.1:9', credentials), PIN_KEY: credentials.pinKey },
    ['vonage', 'pins'],
  );
  const openPool = () =>
    openStore({
      owner: true,
      url: database.url,
      max: 4,
      ...(patienceMs === undefined ? {} : { patienceMs }),
      onError: () => undefined,
    });
  const [store, callers] = [openPool(), openPool()];
  const jobs = openJobs({
    connection: { ...producerOptions(redis.url), commandTimeout: 20_000 },
    prefix: redis.prefix,
    now: Date.now,
    onError: () => undefined,
  });
  const pins = openPinVault(config.pins.PIN_KEY);
  await store.prisma.tenant.create({ data: { id: TENANT, name: 'A' } });
  await store.prisma.dial_in_number.create({ data: { e164: NUMBER, guarded: false } });
  await store.prisma.room.create({
    data: { id: 'room_a', tenant_id: TENANT, name: 'A', number: NUMBER, max_participants: 10, max_duration_s: 3600 },
  });
  await store.prisma.pin.create({
    data: {
      id: 'pin_a',
      tenant_id: TENANT,
      room_id: 'room_a',
      number: NUMBER,
      lookup: new Uint8Array(pins.lookup(PIN)),
      sealed: new Uint8Array(pins.seal(PIN, 'pin_a')),
    },
  });

  const metrics = openMetrics();
  const log =
    logTo === undefined
      ? openLogger({ service: 'voice-webhooks', level: 'silent' })
      : openLogger({ service: 'voice-webhooks', level: 'debug' }, logTo);
  const timing = { timeoutMs: 500 };
  const vault = openAccountVault({ store: callers, keys: localKeyService([{ id: 'stage', key: randomBytes(32) }]) });
  const buildAccount = accountBuilder(config.vonage, timing);
  const providers = openProviders({
    store: callers,
    vault,
    build: (own, { old }) => buildAccount(own, old),
    platform: createProviders(settingsFromEnvironment(config.vonage), timing),
  });
  const service = await startService({
    config: { service: { HOST: '127.0.0.1', PORT: 0, LOG_LEVEL: 'silent', DRAIN_SECONDS: 1 } },
    log,
    metrics,
    module: webhooksModule({
      store,
      callers,
      jobs,
      providers,
      pins,
      clock: systemClock,
      ids: systemIds,
      webhooks: webhookUrls('https://hooks.test'),
      report: openReport(metrics, log),
    }),
    ready: {},
    drain: async () => undefined,
    close: async () => jobs.close(),
  });

  const { vendor } = credentials;
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
      vendor.signatureSecret,
      vendor.callbackSecret,
      vendor.accountSecret,
      vendor.projectSecret,
      credentials.pinKey,
    ],
    send: (path, body, { signer = vendor, ...forgery } = {}) =>
      post(
        path,
        body,
        { api_key: signer.accountKey, application_id: signer.applicationId },
        signer.signatureSecret,
        forgery,
      ),
    sendVideo: (body, { signer = vendor, ...forgery } = {}, path = '/v1/video/events') =>
      post(path, body, {}, signer.callbackSecret, forgery),
    async bringAccount() {
      const signer = createVendor();
      const [tenantId, accountId, roomId] = [systemIds.next('ten'), systemIds.next('acct'), systemIds.next('room')];
      const number = `+12025551${String((brought += 1)).padStart(3, '0')}`;
      const {
        accountKey: apiKey,
        accountSecret: apiSecret,
        applicationId,
        privateKey,
        signatureSecret,
        callbackSecret,
      } = signer;
      await store.prisma.tenant.create({ data: { id: tenantId, name: 'Own' } });
      const sealed = await vault.seal(
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
          voiceKeyEnd: '',
          mediaKeyEnd: null,
          sealed,
        },
        1,
      );
      await store.prisma.dial_in_number.create({
        data: { e164: number, guarded: false, dedicated_to: tenantId, account_id: accountId },
      });
      await store.prisma.room.create({
        data: { id: roomId, tenant_id: tenantId, name: 'Own', number, max_participants: 10, max_duration_s: 3600 },
      });
      await store.prisma.pin.create({
        data: {
          id: `pin_${roomId}`,
          tenant_id: tenantId,
          room_id: roomId,
          number,
          lookup: new Uint8Array(pins.lookup(PIN)),
          sealed: new Uint8Array(pins.seal(PIN, `pin_${roomId}`)),
        },
      });
      return { accountId, tenantId, number, pin: PIN, signer };
    },
    async state() {
      const rows = await Promise.all(
        ['leg', 'session', 'participant', 'observation', 'outbox'].map(
          async (table) => (await store.pool.query(`SELECT * FROM ${table} ORDER BY id`)).rows as unknown[],
        ),
      );
      return JSON.stringify(rows);
    },
    async stop() {
      await service.stop();
      await Promise.all([store.close(), callers.close()]);
      await Promise.all([redis.close(), database.drop()]);
    },
  };
}
