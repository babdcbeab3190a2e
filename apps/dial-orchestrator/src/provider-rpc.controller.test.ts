import { randomBytes, randomUUID } from 'node:crypto';
import { ClientProxyFactory, Transport, type ClientProxy } from '@nestjs/microservices';
import { Module, type INestMicroservice } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  type ProviderRpc,
  encodeRequest,
  rpcPattern,
  RPC_METHODS,
  type RpcInput,
  type RpcMethod,
  type RpcRequest,
  type RpcResponse,
} from '@partyline/conference/providers/rpc-messages';
import { MAX_REQUEST_AGE_MS, signRequest } from '@partyline/conference/providers/rpc-signature';
import { ProviderError } from '@partyline/provider-contract/provider-error';
import { connectRedis, producerOptions, workerOptions } from '@partyline/runtime/redis';
import { createTestRedis, type TestRedis } from '@partyline/testing/redis';
import type { Redis } from 'ioredis';
import { firstValueFrom, Subscription } from 'rxjs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createProviderRpcController } from './provider-rpc.controller.ts';

@Module({})
class Replica {}

let redis: TestRedis;
let claimRedis: Redis;
let client: ClientProxy;
const replicas: INestMicroservice[] = [];
const [RPC_SECRET, RPC_OTHER_SECRET] = [randomBytes(32).toString('base64url'), randomBytes(32).toString('base64url')];
const answeredBy: number[] = [];
/** Every refusal of a replica: the method and why. */
const refused: string[] = [];
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
      secrets: { RPC_SECRET, RPC_OTHER_SECRET },
      now: Date.now,
      onRefused: (method, reason) => refused.push(`${method} ${reason}`),
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

const encode = <M extends RpcMethod>(method: M, input: RpcInput<M>, id: string = randomUUID()): RpcRequest =>
  encodeRequest(RPC_SECRET, rpcPattern(method, redis.prefix), { id, nonce: randomUUID(), sentAt: Date.now() }, input);
const send = (method: RpcMethod, request: unknown): Promise<RpcResponse> =>
  firstValueFrom(client.send<RpcResponse>(rpcPattern(method, redis.prefix), request));

test('one of several replicas answers a request, and the provider gets it once', async () => {
  const participantIds = Array.from({ length: 20 }, (_, i) => `part_${i}`);
  const answers = await Promise.all(
    participantIds.map((participantId) =>
      send(
        'openMedia',
        encode('openMedia', { tenantId: 't', accountId: null, conversation: 'c', participantId, lifetimeS: 1 }),
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
  const answer = await send(method, encode(method, {} as never));
  expect(typeof answer.ok).toBe('boolean');
});

describe('sendDigits', () => {
  const press = (id: string) =>
    send('sendDigits', encode('sendDigits', { tenantId: 't', participantId: 'p', digits: '1' }, id));

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
  const answer = await send('observeRoom', encode('observeRoom', { tenantId: 't', roomId: 'r' }));
  expect(answer).toEqual({
    ok: false,
    error: {
      outcome: 'server',
      reason: 'internal-error',
      message: 'The provider request failed with an internal error.',
    },
  });
});

describe('a request that room-api did not sign for this moment', () => {
  const INPUT = { tenantId: 't', accountId: null, conversation: 'c', participantId: 'part_forged', lifetimeS: 1 };
  const pattern = () => rpcPattern('openMedia', redis.prefix);
  const signedAt = (sentAt: number, secret = RPC_SECRET, under = pattern()): RpcRequest =>
    encodeRequest<'openMedia'>(secret, under, { id: randomUUID(), nonce: randomUUID(), sentAt }, INPUT);

  test.each<[string, string, () => unknown]>([
    ['without a signature', 'malformed', () => ({ id: randomUUID(), input: INPUT })],
    ['that is no object', 'malformed', () => 'openMedia'],
    ['without an input', 'malformed', () => ({ ...signedAt(Date.now()), input: null })],
    ['with an empty signature', 'wrong-signature', () => ({ ...signedAt(Date.now()), signature: '' })],
    ['signed with another secret', 'wrong-signature', () => signedAt(Date.now(), 'x'.repeat(32))],
    [
      'signed for another method',
      'wrong-signature',
      () => signedAt(Date.now(), RPC_SECRET, rpcPattern('verifyAccount', redis.prefix)),
    ],
    [
      'signed for another deployment',
      'wrong-signature',
      () => signedAt(Date.now(), RPC_SECRET, rpcPattern('openMedia', 'other')),
    ],
    [
      'with a changed input',
      'wrong-signature',
      () => ({ ...signedAt(Date.now()), input: { ...INPUT, accountId: 'pac_other' } }),
    ],
    ['with a new nonce', 'wrong-signature', () => ({ ...signedAt(Date.now()), nonce: randomUUID() })],
    ['with a new id', 'wrong-signature', () => ({ ...signedAt(Date.now()), id: randomUUID() })],
    [
      'with a new time',
      'wrong-signature',
      () => ({ ...signedAt(Date.now() - 2 * MAX_REQUEST_AGE_MS), sentAt: Date.now() }),
    ],
    ['of long ago', 'stale', () => signedAt(Date.now() - MAX_REQUEST_AGE_MS - 1)],
    ['of the future', 'stale', () => signedAt(Date.now() + 3 * MAX_REQUEST_AGE_MS)],
  ])('%s is refused by every replica and claims nothing', async (_name, reason, make) => {
    const answers = answeredBy.length;
    const request = make();
    const { id, nonce } = request as Partial<RpcRequest>;
    refused.length = 0;
    const unanswered = new Subscription();
    unanswered.add(client.send(pattern(), request as object).subscribe(() => refused.push('answered')));
    await expect.poll(() => refused).toEqual(replicas.map(() => `openMedia ${reason}`));
    unanswered.unsubscribe();
    expect(answeredBy).toHaveLength(answers);
    expect(claims.filter(({ key }) => [id, nonce].some((each) => each !== undefined && key.endsWith(each)))).toEqual(
      [],
    );
  });

  test('that was sent before is not done again, though it is signed', async () => {
    const request = signedAt(Date.now());
    expect(await send('openMedia', request)).toMatchObject({ ok: true });
    await expect.poll(() => claims.filter(({ key }) => key.endsWith(request.nonce)).length).toBe(replicas.length);
    const answers = answeredBy.length;
    const repeated = client.send(pattern(), request).subscribe();
    await expect.poll(() => claims.filter(({ key }) => key.endsWith(request.nonce)).length).toBe(2 * replicas.length);
    repeated.unsubscribe();
    expect(answeredBy).toHaveLength(answers);
    // The claim outlives the request's age limit, also when the client's clock is ahead.
    expect(claims.at(-1)!.forMs).toBe(2 * MAX_REQUEST_AGE_MS);
  });

  test('during a rotation, the other secret is accepted too', async () => {
    expect(await send('openMedia', signedAt(Date.now(), RPC_OTHER_SECRET))).toMatchObject({ ok: true });
  });

  test('the signature covers the pattern and every field', () => {
    const fields = { id: 'i', nonce: 'n', sentAt: 1, input: { a: 1 } };
    const signatures = [
      signRequest('s', 'p', fields),
      signRequest('t', 'p', fields),
      signRequest('s', 'q', fields),
      signRequest('s', 'p', { ...fields, id: 'j' }),
      signRequest('s', 'p', { ...fields, nonce: 'm' }),
      signRequest('s', 'p', { ...fields, sentAt: 2 }),
      signRequest('s', 'p', { ...fields, input: { a: 2 } }),
    ];
    expect(new Set(signatures).size).toBe(signatures.length);
  });
});
