import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createCredentials, type VendorCredentials } from '@partyline/dev/stack/credentials';
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

/** A provider request may take this long in tests: a vendor that says nothing must not hold a test up, nor a busy machine look like one. */
const TIMEOUT_MS = 3_000;
const TENANT = 'ten_stage';
/** It rings numbers in Britain, the same again and again. */
export const STAGE_TENANT = {
  name: 'Stage',
  home_country: 'GB',
  fraud_limits: { toOneNumber: { warn: 1e6, critical: 1e6 } },
};

/** All that any use-case is given, for one of the two video kinds; and the platform's account itself. */
export interface World extends Deps, Providers {
  readonly kind: MediaKind;
  readonly pins: PinVault;
  readonly random: typeof systemRandomInt;
  readonly provider: ProviderRpc;
  /** Keeps the credentials of tenants' own accounts. */
  readonly accounts: AccountVault;
  readonly tenantId: string;
}

export interface Stage {
  readonly store: Store;
  readonly redis: TestRedis;
  readonly emulator: RunningEmulator;
  readonly worlds: Readonly<Record<MediaKind, World>>;
  /** What the use-cases counted, `name why`. */
  readonly counted: string[];
  /** The durations that they noted, in the same way. */
  readonly observed: { name: string; seconds: number }[];
  /** What went wrong in a webhook: every one, so that a test can look. Replays and refusals are among them. */
  readonly failures: unknown[];
  /** The jobs that were sent; nothing runs them, the test does what they would do. */
  readonly sent: { name: string; id: string; delayMs: number }[];
  /** While set, every sending fails: Redis is away, or the process died just now. */
  jobsDown: boolean;
  /** While set, calls that ask what to do get no answer before this. */
  answersHeld: Promise<void> | undefined;
  /** While set, nothing that the video side tells is taken before this. */
  videoHeld: Promise<void> | undefined;
  /** How many webhooks are being worked on; none that is held. */
  inHand: number;
  /** Where the carrier reaches us. */
  readonly hooksUrl: string;
  close(): Promise<void>;
}

/** As a producer connects, with time for a busy machine. */
const patientRedis = (url: string) => ({ ...producerOptions(url), commandTimeout: 20_000 });

const readBody = async (request: IncomingMessage): Promise<Buffer> =>
  Buffer.concat((await request.toArray()) as Buffer[]);

/** The real Postgres, Redis, providers and use-cases, with the vendor's emulator as a child process, and a server that does what voice-webhooks does. */
export async function setStage(): Promise<Stage> {
  const [database, redis] = await Promise.all([createTestDatabase(), createTestRedis()]);
  const store = openStore({ owner: true, url: database.url, max: 16, patienceMs: 20_000, onError: () => undefined });
  const realJobs = openJobs({
    connection: patientRedis(redis.url),
    prefix: redis.prefix,
    now: () => systemClock.now().getTime(),
    onError: () => undefined,
  });
  await store.prisma.tenant.create({ data: { ...STAGE_TENANT, id: TENANT } });
  await store.prisma.dial_in_number.create({ data: { e164: NUMBER, guarded: false } });

  const { vendor } = createCredentials();
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const hooksUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const emulator = await launchEmulator(vendor, hooksUrl);

  const counted: string[] = [];
  const observed: Stage['observed'] = [];
  const failures: unknown[] = [];
  const sent: Stage['sent'] = [];
  const stage: Pick<Stage, 'jobsDown' | 'answersHeld' | 'videoHeld' | 'inHand'> = {
    jobsDown: false,
    answersHeld: undefined,
    videoHeld: undefined,
    inHand: 0,
  };
  const jobs = watched(realJobs, sent, () => stage.jobsDown);

  const buildAccount = createAccountBuilder(
    {
      VONAGE_API_HOST: emulator.url,
      VIDEO_API_HOST: emulator.url,
      SIP_HOST: 'sip.nexmo.com',
      VONAGE_APPLICATION_ID: vendor.applicationId,
    },
    { timeoutMs: TIMEOUT_MS },
  );
  const worldOf = (kind: MediaKind): World => {
    const platform = createProviders(settings(kind, vendor, emulator.url), { timeoutMs: TIMEOUT_MS });
    const accounts = openAccountVault({ store, keys: localKeyService([{ id: 'stage', key: MASTER_KEY }]) });
    const build: BuildProviders = (credentials, { old }) => buildAccount(credentials, old);
    const deps: Deps = {
      store,
      jobs,
      providers: openProviders({ store, vault: accounts, platform, build }),
      clock: systemClock,
      ids: systemIds,
      secret: systemSecret,
      webhooks: createWebhookUrls(`${hooksUrl}/${kind}`),
      report: {
        count: (name, labels = {}) => void counted.push([name, ...Object.values(labels)].join(' ')),
        observe: (name, seconds, labels = {}) =>
          void observed.push({ name: [name, ...Object.values(labels)].join(' '), seconds }),
        warn: () => undefined,
      },
    };
    return {
      ...deps,
      ...platform,
      kind,
      accounts,
      pins: openPinVault(PIN_KEY),
      random: systemRandomInt,
      provider: createRpcHandlers({ ...deps, accounts: { vault: accounts, build } }),
      tenantId: TENANT,
    };
  };
  const worlds = { opentok: worldOf('opentok'), unified: worldOf('unified') };
  server.on('request', (request, response) => {
    void (async () => {
      const [, kind, ...path] = (request.url ?? '').split('?')[0]?.split('/') ?? [];
      const rawBody = await readBody(request);
      if (path.join('/') === 'v1/voice/answer') await stage.answersHeld;
      if (path.join('/') === 'v1/video/events') await stage.videoHeld;
      stage.inHand += 1;
      const reply = await routeWebhook(worlds[kind as MediaKind], path.join('/'), {
        authorization: request.headers.authorization,
        rawBody,
      }).finally(() => (stage.inHand -= 1));
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(reply));
    })().catch((error: unknown) => {
      failures.push(error);
      response.writeHead(401).end();
    });
  });

  return Object.assign(stage, {
    store,
    redis,
    emulator,
    worlds,
    counted,
    observed,
    failures,
    sent,
    hooksUrl,
    async close() {
      await keepsEventsContract(store);
      await emulator.stop();
      await stop(server);
      await realJobs.close();
      await store.close();
      await Promise.all([redis.close(), database.drop()]);
    },
  });
}

/** Whatever a test had told is what the contract lists, with no field more and none less. */
async function keepsEventsContract(store: Store): Promise<void> {
  for (const row of await store.prisma.outbox.findMany()) {
    const event = toPublicEvent({ ...row, id: String(row.id), data: row.data as Record<string, unknown> });
    assert.ok(Object.hasOwn(EVENT_SCHEMAS, event.type), `libs/contracts/src/events/events.ts lists no ${event.type}`);
    assert.deepEqual(EVENT_SCHEMAS[event.type as EventType].parse(event), event);
  }
}

const PIN_KEY = randomBytes(32);
const MASTER_KEY = randomBytes(32);

function launchEmulator(vendor: VendorCredentials, hooksUrl: string): Promise<RunningEmulator> {
  const video = (kind: MediaKind) => ({
    sessionCallbackUrl: `${hooksUrl}/${kind}/v1/video/events`,
    sipCallbackUrl: `${hooksUrl}/${kind}/v1/video/events`,
    callbackSecret: vendor.callbackSecret,
  });
  return startEmulator({
    account: { apiKey: vendor.accountKey, apiSecret: vendor.accountSecret, signatureSecret: vendor.signatureSecret },
    projects: [{ apiKey: vendor.projectKey, apiSecret: vendor.projectSecret, ...video('opentok') }],
    applications: [
      {
        id: vendor.applicationId,
        publicKey: vendor.publicKey,
        answerUrl: `${hooksUrl}/unified/v1/voice/answer`,
        answerMethod: 'POST',
        eventUrl: `${hooksUrl}/unified/v1/voice/events`,
        eventMethod: 'POST',
        video: video('unified'),
      },
    ],
    numbers: [{ e164: NUMBER, applicationId: vendor.applicationId }],
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

function settings(kind: MediaKind, vendor: VendorCredentials, url: string): ProviderSettings {
  const sip = { username: vendor.accountKey, password: vendor.accountSecret };
  const { callbackSecret, applicationId, privateKey } = vendor;
  return {
    voice: {
      kind: 'vonage',
      account: {
        apiKey: vendor.accountKey,
        applicationId,
        privateKey,
        signatureSecret: vendor.signatureSecret,
        apiHost: url,
      },
    },
    media: {
      kind,
      account:
        kind === 'opentok'
          ? { apiKey: vendor.projectKey, apiSecret: vendor.projectSecret, apiHost: url, sip, callbackSecret }
          : { applicationId, privateKey, videoHost: url, sip, callbackSecret },
    },
  };
}

/** The real jobs, noted as they are sent; or away. */
function watched(jobs: OpenJobs, sent: Stage['sent'], down: () => boolean): Jobs {
  const send = async (name: string, payload: object, delayMs: number, real: () => Promise<void>): Promise<void> => {
    if (down()) throw new Error('Redis is away');
    sent.push({
      name,
      id: 'legId' in payload ? String(payload.legId) : String((payload as { sessionId?: string }).sessionId),
      delayMs,
    });
    await real();
  };
  return {
    enqueue: (name, payload, delayMs = 0) => send(name, payload, delayMs, () => jobs.enqueue(name, payload, delayMs)),
    armHangUp: (session, delayMs) => send('arm', session, delayMs, () => jobs.armHangUp(session, delayMs)),
  };
}

async function stop(server: Server): Promise<void> {
  server.close();
  server.closeAllConnections();
  await once(server, 'close');
}
