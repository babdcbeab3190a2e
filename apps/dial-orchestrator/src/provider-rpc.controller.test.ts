import { randomUUID } from 'node:crypto';
import { ClientProxyFactory, Transport, type ClientProxy } from '@nestjs/microservices';
import { Module, type INestMicroservice } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  type ProviderRpc,
  encodeRequest,
  rpcPattern,
  RPC_METHODS,
  type RpcResponse,
} from '@partyline/conference/providers/rpc-messages';
import { ProviderError } from '@partyline/provider-contract/provider-error';
import { connectRedis, producerOptions, workerOptions } from '@partyline/runtime/redis';
import { createTestRedis, type TestRedis } from '@partyline/testing/redis';
import type { Redis } from 'ioredis';
import { firstValueFrom } from 'rxjs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createProviderRpcController } from './provider-rpc.controller.ts';

@Module({})
class Replica {}

let redis: TestRedis;
let claimRedis: Redis;
let client: ClientProxy;
const replicas: INestMicroservice[] = [];
const answeredBy: number[] = [];
/** Every claim that a replica tried to set, recorded after Redis answered. */
const claims: { key: string; forMs: number }[] = [];
/** The provider's `sendDigits`, set by each test. */
let sendDigits: ProviderRpc['sendDigits'] = () => Promise.reject(new Error('not used in this test'));

beforeAll(async () => {
  redis = await createTestRedis();
  claimRedis = connectRedis(redis.url, () => undefined, 20_000);
  await new Promise((resolve) => claimRedis.once('ready', resolve));
  const watched = new Proxy(claimRedis, {
    get: (of, name) => {
      const value: unknown = Reflect.get(of, name);
      if (typeof value !== 'function') return value;
      return async (...args: unknown[]) => {
        const answer: unknown = await Reflect.apply(value, of, args);
        if (name === 'set') claims.push({ key: String(args[0]), forMs: Number(args[3]) });
        return answer;
      };
    },
  });
  for (const replica of [1, 2, 3]) {
    const provider: ProviderRpc = {
      openMedia: async ({ participantId }) => {
        answeredBy.push(replica);
        return {
          mediaSessionId: participantId,
          token: 't',
          tokenExpiresAt: new Date(0),
          client: { kind: 'k', application: 'a' },
        };
      },
      issueToken: () => Promise.reject(new Error('not used in this test')),
      observeRoom: () => Promise.reject(new Error('not used in this test')),
      mute: () => Promise.reject(new Error('not used in this test')),
      sendDigits: (input) => sendDigits(input),
      verifyAccount: () => Promise.reject(new Error('not used in this test')),
    };
    const controller = createProviderRpcController({
      provider,
      redis: watched,
      prefix: redis.prefix,
      onError: () => undefined,
    });
    const service = await NestFactory.createMicroservice(
      { module: Replica, controllers: [controller] },
      { transport: Transport.REDIS, options: workerOptions(redis.url), logger: false },
    );
    await service.listen();
    replicas.push(service);
  }
  client = ClientProxyFactory.create({
    transport: Transport.REDIS,
    options: { ...producerOptions(redis.url), commandTimeout: 20_000 },
  });
  await client.connect();
});

afterAll(async () => {
  await client.close();
  await Promise.all(replicas.map((service) => service.close()));
  claimRedis.disconnect();
  await redis.close();
});

test('one of several replicas answers a request, and the provider gets it once', async () => {
  const participantIds = Array.from({ length: 20 }, (_, i) => `part_${i}`);
  const answers = await Promise.all(
    participantIds.map((participantId) =>
      firstValueFrom(
        client.send<RpcResponse>(
          rpcPattern('openMedia', redis.prefix),
          encodeRequest<'openMedia'>(randomUUID(), { tenantId: 't', accountId: null, participantId, lifetimeS: 1 }),
        ),
      ),
    ),
  );
  expect(
    answers.map((answer) => (answer.ok ? (answer.value as { mediaSessionId: string }).mediaSessionId : answer.error)),
  ).toEqual(participantIds);
  // By then every replica has received every request, and one has answered it.
  await expect.poll(() => claims.length).toBe(replicas.length * participantIds.length);
  await claimRedis.ping();
  expect(answeredBy).toHaveLength(participantIds.length);
});

test.each(RPC_METHODS)('answers a %s request', async (method) => {
  const answer = await firstValueFrom(
    client.send<RpcResponse>(rpcPattern(method, redis.prefix), { id: randomUUID(), input: {} }),
  );
  expect(typeof answer.ok).toBe('boolean');
});

describe('sendDigits', () => {
  const press = (id: string) =>
    firstValueFrom(
      client.send<RpcResponse>(
        rpcPattern('sendDigits', redis.prefix),
        encodeRequest<'sendDigits'>(id, { tenantId: 't', participantId: 'p', digits: '1' }),
      ),
    );

  test('is done once, and a repeated request gets the same answer', async () => {
    const id = randomUUID();
    let pressed = 0;
    sendDigits = async () => ({ legId: `leg_${(pressed += 1)}` });
    const first = await press(id);
    expect([first, await press(id), pressed]).toEqual([{ ok: true, value: { legId: 'leg_1' } }, first, 1]);
    await press(randomUUID());
    expect(pressed).toBe(2);
  });

  test('is not repeated after an indeterminate outcome', async () => {
    const id = randomUUID();
    let pressed = 0;
    sendDigits = () => ((pressed += 1), Promise.reject(new ProviderError('unknown', 'upstream-timeout', 'No answer.')));
    const first = await press(id);
    expect([await press(id), pressed]).toEqual([first, 1]);
    expect(await claimRedis.pttl(`${redis.prefix}:rpc:${id}`)).toBeGreaterThan(23 * 3_600_000);
  });

  test('can be repeated after the provider rejected it', async () => {
    const id = randomUUID();
    sendDigits = () => Promise.reject(new ProviderError('busy', 'upstream-429', 'Too much.'));
    expect(await press(id)).toMatchObject({ ok: false });
    // The claim is kept only until every replica must have received the request. It expires.
    const key = `${redis.prefix}:rpc:${id}`;
    expect(claims.filter((claim) => claim.key === key).map(({ forMs }) => forMs)).toContain(5_000);
    await claimRedis.del(key);
    sendDigits = async () => ({ legId: 'leg_1' });
    expect(await press(id)).toMatchObject({ ok: true });
  });
});

test('answers an internal error without its details', async () => {
  const answer = await firstValueFrom(
    client.send<RpcResponse>(
      rpcPattern('observeRoom', redis.prefix),
      encodeRequest<'observeRoom'>(randomUUID(), { tenantId: 't', roomId: 'r' }),
    ),
  );
  expect(answer).toEqual({
    ok: false,
    error: {
      outcome: 'server',
      reason: 'internal-error',
      message: 'The provider request failed with an internal error.',
    },
  });
});
