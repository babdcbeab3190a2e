import { providerDeps } from '@partyline/provider-contract/testing/provider-deps';
import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import {
  createCredentials,
  createProviderCredentials,
  type ProviderCredentials,
} from '@partyline/dev/stack/credentials';
import { EVENT_SCHEMAS, type EventType } from '@partyline/contracts/events/events';
import { openJobs, type Jobs, type OpenJobs } from '@partyline/jobs/enqueue';
import { createAccountBuilder } from '@partyline/provider-registry/from-account';
import { createProviders, type ProviderSettings } from '@partyline/provider-registry/registry';
import { systemClock, systemIds, systemRandomInt, systemSecret } from '@partyline/runtime/system';
import { producerOptions } from '@partyline/runtime/redis';
import { openStore, type Store } from '@partyline/store/database/store';
import { createTestDatabase } from '@partyline/testing/postgres';
import { createTestRedis, type TestRedis } from '@partyline/testing/redis';
import { startEmulator, type RunningEmulator } from '@partyline/vonage-emulator/launch';
import { openAccountVault, type AccountVault } from '../providers/account-vault.ts';
import { createRpcHandlers } from '../provider-rpc/handlers.ts';
import type { ProviderRpc } from '../providers/rpc-messages.ts';
import { toPublicEvent } from '../endpoints/deliver-events.ts';
import type { Deps, Providers } from '../deps.ts';
import { localKeyService } from '../crypto/key-service.ts';
import { openPinVault, type PinVault } from '../pins/pin-vault.ts';
import { openProviders, type BuildProviders } from '../providers/open-providers.ts';
import { createWebhookUrls } from '../providers/webhook-urls.ts';
import { routeWebhook } from './route-webhook.ts';

export const NUMBER = '+442079460000';
export const MEDIA_KINDS = ['opentok', 'unified'] as const;
export type MediaKind = (typeof MEDIA_KINDS)[number];

/**
 * The timeout of a provider request: short, so that an unanswered request does not delay a test by
 * much.
 */
const PROVIDER_TIMEOUT_MS = 3_000;
const TENANT_ID = 'ten_test';
/**
 * Tests dial the same British numbers repeatedly, so the fraud meter of one number is set out of
 * reach.
 */
export const TEST_TENANT = {
  name: 'Test',
  home_country: 'GB',
  fraud_limits: { toOneNumber: { warn: 1e6, critical: 1e6 } },
};

/**
 * The dependencies of every use-case for one media kind, with the providers of the platform's
 * account.
 */
export interface TestDeps extends Deps, Providers {
  readonly kind: MediaKind;
  readonly pins: PinVault;
  readonly random: typeof systemRandomInt;
  readonly provider: ProviderRpc;
  readonly accounts: AccountVault;
  readonly addresses: { readonly allowPrivate: boolean };
  readonly tenantId: string;
}

/** What a test can set while it runs. */
interface HarnessControls {
  /** While true, enqueueing a job fails, as it does when Redis is unreachable. */
  jobsDown: boolean;
  /** While set, answer webhooks get no reply before this promise resolves. */
  answerGate: Promise<void> | undefined;
  /** While set, video webhooks are not processed before this promise resolves. */
  videoEventGate: Promise<void> | undefined;
  /** Webhooks being processed, without those that wait at a gate. */
  webhooksInProgress: number;
}

export interface TestHarness extends HarnessControls {
  readonly store: Store;
  readonly redis: TestRedis;
  readonly emulator: RunningEmulator;
  readonly deps: Readonly<Record<MediaKind, TestDeps>>;
  /** What the use-cases counted, as `name label`. */
  readonly counters: string[];
  /** The durations that the use-cases observed, named in the same way. */
  readonly durations: { name: string; seconds: number }[];
  /** The errors of all webhooks, replays and rejections among them. */
  readonly webhookErrors: unknown[];
  /** The enqueued jobs. No worker runs them; the test calls the use-cases itself. */
  readonly sentJobs: { name: string; id: string; delayMs: number }[];
  /** The base URL of the webhooks. */
  readonly webhooksUrl: string;
  /** The credentials of the platform's SIP account, which is emulated too (`addPlatformSip`). */
  readonly sipCredentials: ProviderCredentials;
  close(): Promise<void>;
}

/** The options of a producer, with a longer timeout for a busy machine. */
const redisOptions = (url: string) => ({ ...producerOptions(url), commandTimeout: 20_000 });

const readBody = async (request: IncomingMessage): Promise<Buffer> =>
  Buffer.concat((await request.toArray()) as Buffer[]);

/**
 * Starts the use-cases on a real Postgres and Redis with the real providers, the Vonage emulator as
 * a child process, and an HTTP server that stands in for voice-webhooks.
 */
export async function startTestHarness(): Promise<TestHarness> {
  const [database, redis] = await Promise.all([createTestDatabase(), createTestRedis()]);
  const store = openStore({
    owner: true,
    url: database.url,
    max: 16,
    statementTimeoutMs: 20_000,
    onError: () => undefined,
  });
  const realJobs = openJobs({
    connection: redisOptions(redis.url),
    prefix: redis.prefix,
    now: () => systemClock.now().getTime(),
    onError: () => undefined,
  });
  await store.prisma.tenant.create({ data: { ...TEST_TENANT, id: TENANT_ID } });
  await store.prisma.dial_in_number.create({ data: { e164: NUMBER, guarded: false } });

  const { provider: credentials } = createCredentials();
  const sipCredentials = createProviderCredentials();
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const webhooksUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const emulator = await launchEmulator(credentials, webhooksUrl);

  const counters: string[] = [];
  const durations: TestHarness['durations'] = [];
  const webhookErrors: unknown[] = [];
  const sentJobs: TestHarness['sentJobs'] = [];
  const controls: HarnessControls = {
    jobsDown: false,
    answerGate: undefined,
    videoEventGate: undefined,
    webhooksInProgress: 0,
  };
  const jobs = recordJobs(realJobs, sentJobs, () => controls.jobsDown);

  const build: BuildProviders = createAccountBuilder(
    {
      VONAGE_API_HOST: emulator.url,
      VIDEO_API_HOST: emulator.url,
      VONAGE_REGION_HOSTS: { eu: emulator.url },
      SIP_HOST: 'sip.nexmo.com',
      VONAGE_APPLICATION_ID: credentials.applicationId,
    },
    providerDeps(PROVIDER_TIMEOUT_MS),
    () => undefined,
  );
  const createDeps = (kind: MediaKind): TestDeps => {
    const create = (account: ProviderCredentials): Providers =>
      createProviders(providerSettings(kind, account, emulator.url), providerDeps(PROVIDER_TIMEOUT_MS));
    const platform = create(credentials);
    const accounts = openAccountVault({ store, keys: localKeyService([{ id: 'test', key: MASTER_KEY }]) });
    const deps: Deps = {
      store,
      jobs,
      providers: openProviders({ store, vault: accounts, platform, platformSip: create(sipCredentials), build }),
      clock: systemClock,
      ids: systemIds,
      secret: systemSecret,
      webhooks: createWebhookUrls(`${webhooksUrl}/${kind}`),
      report: {
        count: (name, labels = {}) => void counters.push([name, ...Object.values(labels)].join(' ')),
        observe: (name, seconds, labels = {}) =>
          void durations.push({ name: [name, ...Object.values(labels)].join(' '), seconds }),
        warn: () => undefined,
      },
    };
    return {
      ...deps,
      ...platform,
      kind,
      accounts,
      addresses: { allowPrivate: false },
      pins: openPinVault([PIN_KEY]),
      random: systemRandomInt,
      provider: createRpcHandlers({ ...deps, accounts: { vault: accounts, build } }),
      tenantId: TENANT_ID,
    };
  };
  const deps = { opentok: createDeps('opentok'), unified: createDeps('unified') };
  server.on('request', (request, response) => {
    void (async () => {
      const [, kind, ...path] = (request.url ?? '').split('?')[0]?.split('/') ?? [];
      const rawBody = await readBody(request);
      if (path.join('/') === 'v1/voice/answer') await controls.answerGate;
      if (path.join('/') === 'v1/video/events') await controls.videoEventGate;
      controls.webhooksInProgress += 1;
      const reply = await routeWebhook(deps[kind as MediaKind], path.join('/'), {
        authorization: request.headers.authorization,
        rawBody,
      }).finally(() => (controls.webhooksInProgress -= 1));
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(reply));
    })().catch((error: unknown) => {
      webhookErrors.push(error);
      response.writeHead(401).end();
    });
  });

  return Object.assign(controls, {
    store,
    redis,
    emulator,
    deps,
    counters,
    durations,
    webhookErrors,
    sentJobs,
    webhooksUrl,
    sipCredentials,
    async close() {
      await assertEventsMatchContract(store);
      await emulator.stop();
      await closeServer(server);
      await realJobs.close();
      await store.close();
      await Promise.all([redis.close(), database.drop()]);
    },
  });
}

/** Asserts that every recorded event has exactly the fields that the contract lists. */
async function assertEventsMatchContract(store: Store): Promise<void> {
  for (const row of await store.prisma.outbox.findMany()) {
    const event = toPublicEvent({ ...row, id: String(row.id), data: row.data as Record<string, unknown> });
    assert.ok(Object.hasOwn(EVENT_SCHEMAS, event.type), `libs/contracts/src/events/events.ts lists no ${event.type}`);
    assert.deepEqual(EVENT_SCHEMAS[event.type as EventType].parse(event), event);
  }
}

const PIN_KEY = randomBytes(32);
const MASTER_KEY = randomBytes(32);

function launchEmulator(credentials: ProviderCredentials, webhooksUrl: string): Promise<RunningEmulator> {
  const video = (kind: MediaKind) => ({
    sessionCallbackUrl: `${webhooksUrl}/${kind}/v1/video/events`,
    sipCallbackUrl: `${webhooksUrl}/${kind}/v1/video/events`,
    callbackSecret: credentials.callbackSecret,
  });
  return startEmulator({
    account: {
      apiKey: credentials.accountKey,
      apiSecret: credentials.accountSecret,
      signatureSecret: credentials.signatureSecret,
    },
    projects: [{ apiKey: credentials.projectKey, apiSecret: credentials.projectSecret, ...video('opentok') }],
    applications: [
      {
        id: credentials.applicationId,
        publicKey: credentials.publicKey,
        answerUrl: `${webhooksUrl}/unified/v1/voice/answer`,
        answerMethod: 'POST',
        eventUrl: `${webhooksUrl}/unified/v1/voice/events`,
        eventMethod: 'POST',
        video: video('unified'),
      },
    ],
    numbers: [{ e164: NUMBER, applicationId: credentials.applicationId }],
    limits: { enabled: false },
    timings: {
      talkMsPerCharacter: 0,
      phoneAnswerMs: 5,
      sipDialMs: 2,
      sipRingMs: 2,
      videoRetryFirstMs: 20,
      webhookConnectMs: 30_000,
      webhookResponseMs: 30_000,
    },
  });
}

function providerSettings(kind: MediaKind, credentials: ProviderCredentials, url: string): ProviderSettings {
  const sip = { username: credentials.accountKey, password: credentials.accountSecret };
  const { callbackSecret, applicationId, privateKey } = credentials;
  return {
    voice: {
      kind: 'vonage',
      account: {
        apiKey: credentials.accountKey,
        applicationId,
        privateKey,
        signatureSecret: credentials.signatureSecret,
        apiHost: url,
      },
    },
    media: {
      kind,
      account:
        kind === 'opentok'
          ? { apiKey: credentials.projectKey, apiSecret: credentials.projectSecret, apiHost: url, sip, callbackSecret }
          : { applicationId, privateKey, videoHost: url, sip, callbackSecret },
    },
  };
}

/** Records jobs as they are enqueued; fails while `down` is true. */
function recordJobs(jobs: OpenJobs, sentJobs: TestHarness['sentJobs'], down: () => boolean): Jobs {
  const send = async (name: string, payload: object, delayMs: number, real: () => Promise<void>): Promise<void> => {
    if (down()) throw new Error('Redis is unreachable');
    sentJobs.push({
      name,
      id: 'legId' in payload ? String(payload.legId) : String((payload as { sessionId?: string }).sessionId),
      delayMs,
    });
    await real();
  };
  return {
    enqueue: (name, payload, delayMs = 0) => send(name, payload, delayMs, () => jobs.enqueue(name, payload, delayMs)),
    armHangUp: (session, delayMs) => send('arm', session, delayMs, () => jobs.armHangUp(session, delayMs)),
    assertReachable: async () => {
      if (down()) throw new Error('Redis is unreachable');
      await jobs.assertReachable();
    },
  };
}

async function closeServer(server: Server): Promise<void> {
  server.close();
  server.closeAllConnections();
  await once(server, 'close');
}
