import { randomUUID } from 'node:crypto';
import { ClientProxyFactory, Transport, type ClientProxy } from '@nestjs/microservices';
import { Module, type INestMicroservice } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  encodeRequest,
  rpcPattern,
  type ProviderRpc,
  type RpcResponse,
} from '@partyline/conference/providers/rpc-messages';
import { openLink, type Link } from '@partyline/dev/faults/proxy';
import { findFreePort } from '@partyline/dev/processes/ports';
import { CATALOGUE, type JobName } from '@partyline/jobs/catalogue';
import { openJobs, type OpenJobs } from '@partyline/jobs/enqueue';
import { startWorkers, type Handlers, type Workers } from '@partyline/jobs/work';
import {
  assertRedisConnected,
  connectRedis,
  producerOptions,
  watchRedis,
  workerOptions,
} from '@partyline/runtime/redis';
import { createTestRedis, type TestRedis } from '@partyline/testing/redis';
import type { Redis } from 'ioredis';
import { firstValueFrom, timeout } from 'rxjs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createProviderRpcController } from './provider-rpc.controller.ts';
import { RpcServer } from './rpc-server.ts';

/*
 * The connections of an orchestrator stop receiving packets and are not closed. Every one of them
 * must be replaced within ten seconds, whatever it does: blocking reads, a subscription, commands.
 */

const RPC_SECRET = randomUUID();

@Module({})
class Orchestrator {}

let redis: TestRedis;
let link: Link;
let claims: Redis;
let service: INestMicroservice;
let workers: Workers;
/** Of the orchestrator, through the link, and of another service, beside it. */
let own: OpenJobs;
let jobs: OpenJobs;
let client: ClientProxy;
const watched: object[] = [];
const ran: string[] = [];

beforeAll(async () => {
  redis = await createTestRedis();
  const direct = new URL(redis.url);
  link = await openLink({
    name: 'redis',
    port: await findFreePort(),
    targets: [{ host: direct.hostname, port: Number(direct.port) }],
  });
  const through = new URL(redis.url);
  through.host = `127.0.0.1:${link.port}`;
  const watch = (each: object): void => {
    watched.push(each);
    watchRedis(each);
  };
  const common = { prefix: redis.prefix, now: () => Date.now(), onError: () => undefined };
  own = openJobs({ ...common, connection: producerOptions(through.href), watch });
  jobs = openJobs({ ...common, connection: { ...producerOptions(redis.url), commandTimeout: 20_000 } });
  workers = startWorkers({
    ...common,
    connection: workerOptions(through.href),
    handlers: Object.fromEntries(
      (Object.keys(CATALOGUE) as JobName[]).map((name) => [
        name,
        async ({ tenantId }: { tenantId: string }) => void ran.push(tenantId),
      ]),
    ) as unknown as Handlers,
    concurrency: { conference: 1, dial: 1, 'hang-up': 1 },
    onFailed: () => undefined,
    watch,
  });
  claims = connectRedis(through.href, () => undefined);
  const unused = () => Promise.reject(new Error('not used in this test'));
  const provider: ProviderRpc = {
    openMedia: unused,
    issueToken: unused,
    observeRoom: unused,
    mute: unused,
    verifyAccount: unused,
    sendDigits: async () => ({ legId: 'leg_1' }),
  };
  const controller = createProviderRpcController({
    provider,
    redis: claims,
    prefix: redis.prefix,
    secrets: { RPC_SECRET },
    now: Date.now,
    onRefused: () => undefined,
    onError: () => undefined,
  });
  service = await NestFactory.createMicroservice(
    { module: Orchestrator, controllers: [controller] },
    { strategy: new RpcServer(workerOptions(through.href), watch), logger: false },
  );
  await service.listen();
  client = ClientProxyFactory.create({
    transport: Transport.REDIS,
    options: { ...producerOptions(redis.url), commandTimeout: 20_000 },
  });
  await client.connect();
});
afterAll(async () => {
  await Promise.all([client.close(), service.close(), workers.drain(2_000), own.close(), jobs.close()]);
  claims.disconnect();
  await redis.close();
  await link.close();
});

const pressDigits = (): Promise<unknown> =>
  firstValueFrom(
    client
      .send<RpcResponse>(
        rpcPattern('sendDigits', redis.prefix),
        encodeRequest<'sendDigits'>(
          RPC_SECRET,
          rpcPattern('sendDigits', redis.prefix),
          { id: randomUUID(), nonce: randomUUID(), sentAt: Date.now() },
          { tenantId: 't', participantId: 'p', digits: '1' },
        ),
      )
      .pipe(timeout(1_000)),
  ).then(
    ({ ok }) => ok,
    () => false,
  );
const isConnected = (): boolean => {
  try {
    assertRedisConnected(watched);
    return true;
  } catch {
    return false;
  }
};
async function expectService(): Promise<void> {
  const names = (['settle-session', 'open-bridge', 'hang-up-session'] as const).map(
    (name) => [name, randomUUID()] as const,
  );
  for (const [name, tenantId] of names) await jobs.enqueue(name, { tenantId, sessionId: 's' });
  await expect.poll(() => names.every(([, id]) => ran.includes(id)), { timeout: 20_000 }).toBe(true);
  await expect.poll(pressDigits, { timeout: 20_000 }).toBe(true);
  await expect
    .poll(
      () =>
        own.assertReachable().then(
          () => true,
          () => false,
        ),
      { timeout: 20_000 },
    )
    .toBe(true);
  await expect.poll(isConnected, { timeout: 20_000 }).toBe(true);
}

it.each(['idle', 'busy'])(
  'an orchestrator replaces connections that died silently within ten seconds (%s)',
  async (how) => {
    await expectService();
    if (how === 'busy') await jobs.armHangUp({ tenantId: 'later', sessionId: 's' }, 600_000);
    link.abandonConnections();
    const died = performance.now();
    await expectService();
    expect(performance.now() - died).toBeLessThan(10_000);
  },
  120_000,
);
