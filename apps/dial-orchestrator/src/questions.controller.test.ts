import { randomUUID } from 'node:crypto';
import { ClientProxyFactory, Transport, type ClientProxy } from '@nestjs/microservices';
import { Module, type INestMicroservice } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { AskProvider } from '@partyline/conference/provider-rpc/handlers';
import {
  encodeQuestion,
  questionPattern,
  QUESTIONS,
  type Answered,
} from '@partyline/conference/providers/rpc-messages';
import { ProviderError } from '@partyline/provider-contract/provider-error';
import { connectRedis, producerOptions, workerOptions } from '@partyline/runtime/redis';
import { createTestRedis, type TestRedis } from '@partyline/testing/redis';
import type { Redis } from 'ioredis';
import { firstValueFrom } from 'rxjs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { questionsController } from './questions.controller.ts';

@Module({})
class Replica {}

let redis: TestRedis;
let claims: Redis;
let client: ClientProxy;
const replicas: INestMicroservice[] = [];
const answeredBy: number[] = [];
/** Every claim that a replica tried to lay or changed, once Redis had answered: under which key, and for how many milliseconds. */
const laid: { key: string; forMs: number }[] = [];
/** What pressing keys does. */
let pressing: AskProvider['sendDigits'] = () => Promise.reject(new Error('not asked here'));

beforeAll(async () => {
  redis = await createTestRedis();
  claims = connectRedis(redis.url, () => undefined, 20_000);
  await new Promise((resolve) => claims.once('ready', resolve));
  const watched = new Proxy(claims, {
    get: (of, name) => {
      const value: unknown = Reflect.get(of, name);
      if (typeof value !== 'function') return value;
      return async (...args: unknown[]) => {
        const answer: unknown = await Reflect.apply(value, of, args);
        if (name === 'set') laid.push({ key: String(args[0]), forMs: Number(args[3]) });
        return answer;
      };
    },
  });
  for (const replica of [1, 2, 3]) {
    const provider: AskProvider = {
      openMedia: async ({ participantId }) => {
        answeredBy.push(replica);
        return {
          mediaSessionId: participantId,
          token: 't',
          tokenExpiresAt: new Date(0),
          client: { kind: 'k', application: 'a' },
        };
      },
      issueToken: () => Promise.reject(new Error('not asked here')),
      observeRoom: () => Promise.reject(new Error('not asked here')),
      mute: () => Promise.reject(new Error('not asked here')),
      sendDigits: (input) => pressing(input),
      verifyAccount: () => Promise.reject(new Error('not asked here')),
    };
    const controller = questionsController({
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
  claims.disconnect();
  await redis.close();
});

test('of several replicas that hear a question one answers, and the vendor is asked once', async () => {
  const questions = Array.from({ length: 20 }, (_, i) => `part_${i}`);
  const answers = await Promise.all(
    questions.map((participantId) =>
      firstValueFrom(
        client.send<Answered>(
          questionPattern('openMedia', redis.prefix),
          encodeQuestion<'openMedia'>(randomUUID(), { tenantId: 't', accountId: null, participantId, lifetimeS: 1 }),
        ),
      ),
    ),
  );
  expect(
    answers.map((answer) => (answer.ok ? (answer.value as { mediaSessionId: string }).mediaSessionId : answer.error)),
  ).toEqual(questions);
  // Every replica has heard every question by then, and whoever was to answer has.
  await expect.poll(() => laid.length).toBe(replicas.length * questions.length);
  await claims.ping();
  expect(answeredBy).toHaveLength(questions.length);
});

test.each(QUESTIONS)('%s is answered', async (question) => {
  const answer = await firstValueFrom(
    client.send<Answered>(questionPattern(question, redis.prefix), { id: randomUUID(), input: {} }),
  );
  expect(typeof answer.ok).toBe('boolean');
});

describe('keys that are pressed', () => {
  const press = (id: string) =>
    firstValueFrom(
      client.send<Answered>(
        questionPattern('sendDigits', redis.prefix),
        encodeQuestion<'sendDigits'>(id, { tenantId: 't', participantId: 'p', digits: '1' }),
      ),
    );

  test('are pressed once, and who asks again gets the answer', async () => {
    const id = randomUUID();
    let pressed = 0;
    pressing = async () => ({ legId: `leg_${(pressed += 1)}` });
    const first = await press(id);
    expect([first, await press(id), pressed]).toEqual([{ ok: true, value: { legId: 'leg_1' } }, first, 1]);
    await press(randomUUID());
    expect(pressed).toBe(2);
  });

  test('are not pressed again when nobody knows whether they were', async () => {
    const id = randomUUID();
    let pressed = 0;
    pressing = () => ((pressed += 1), Promise.reject(new ProviderError('unknown', 'vendor-timeout', 'No answer.')));
    const first = await press(id);
    expect([await press(id), pressed]).toEqual([first, 1]);
    expect(await claims.pttl(`${redis.prefix}:question:${id}`)).toBeGreaterThan(23 * 3_600_000);
  });

  test('can be asked for again when they were not', async () => {
    const id = randomUUID();
    pressing = () => Promise.reject(new ProviderError('busy', 'vendor-429', 'Too much.'));
    expect(await press(id)).toMatchObject({ ok: false });
    // Kept only for as long as a replica may take to hear of it; that goes by.
    const key = `${redis.prefix}:question:${id}`;
    expect(laid.filter((claim) => claim.key === key).map(({ forMs }) => forMs)).toContain(5_000);
    await claims.del(key);
    pressing = async () => ({ legId: 'leg_1' });
    expect(await press(id)).toMatchObject({ ok: true });
  });
});

test('what goes wrong shows nothing of its insides', async () => {
  const answer = await firstValueFrom(
    client.send<Answered>(
      questionPattern('observeRoom', redis.prefix),
      encodeQuestion<'observeRoom'>(randomUUID(), { tenantId: 't', roomId: 'r' }),
    ),
  );
  expect(answer).toEqual({
    ok: false,
    error: { outcome: 'server', reason: 'internal-error', message: 'Something went wrong on our side.' },
  });
});
