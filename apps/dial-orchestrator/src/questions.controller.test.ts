import { randomUUID } from 'node:crypto';
import { ClientProxyFactory, Transport, type ClientProxy } from '@nestjs/microservices';
import { Module, type INestMicroservice } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { AskProvider } from '@partyline/conference/ask-provider';
import { encodeQuestion, questionPattern, QUESTIONS, type Answered } from '@partyline/conference/questions';
import { connectRedis, producerOptions, workerOptions } from '@partyline/runtime/redis';
import { createTestRedis, type TestRedis } from '@partyline/testing/redis';
import type { Redis } from 'ioredis';
import { firstValueFrom } from 'rxjs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { questionsController } from './questions.controller.ts';

@Module({})
class Replica {}

let redis: TestRedis;
let claims: Redis;
let client: ClientProxy;
const replicas: INestMicroservice[] = [];
const answeredBy: number[] = [];

beforeAll(async () => {
  redis = await createTestRedis();
  claims = connectRedis(redis.url, () => undefined);
  await new Promise((resolve) => claims.once('ready', resolve));
  for (const replica of [1, 2, 3]) {
    const provider: AskProvider = {
      openMedia: async ({ participantId }) => {
        answeredBy.push(replica);
        return { mediaSessionId: participantId, token: 't', tokenExpiresAt: new Date(0), client: { kind: 'k', application: 'a' } };
      },
      issueToken: () => Promise.reject(new Error('not asked here')),
      observeRoom: () => Promise.reject(new Error('not asked here')),
      mute: () => Promise.reject(new Error('not asked here')),
      sendDigits: () => Promise.reject(new Error('not asked here')),
      verifyAccount: () => Promise.reject(new Error('not asked here')),
    };
    const controller = questionsController({ provider, redis: claims, prefix: redis.prefix, onError: () => undefined });
    const service = await NestFactory.createMicroservice({ module: Replica, controllers: [controller] }, { transport: Transport.REDIS, options: workerOptions(redis.url), logger: false });
    await service.listen();
    replicas.push(service);
  }
  client = ClientProxyFactory.create({ transport: Transport.REDIS, options: producerOptions(redis.url) });
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
    questions.map((participantId) => firstValueFrom(client.send<Answered>(questionPattern('openMedia', redis.prefix), encodeQuestion<'openMedia'>(randomUUID(), { tenantId: 't', accountId: null, participantId, lifetimeS: 1 })))),
  );
  expect(answers.map((answer) => (answer.ok ? (answer.value as { mediaSessionId: string }).mediaSessionId : answer.error))).toEqual(questions);
  expect(answeredBy).toHaveLength(questions.length);
});

test.each(QUESTIONS)('%s is answered', async (question) => {
  const answer = await firstValueFrom(client.send<Answered>(questionPattern(question, redis.prefix), { id: randomUUID(), input: {} }));
  expect(typeof answer.ok).toBe('boolean');
});

test('what goes wrong shows nothing of its insides', async () => {
  const answer = await firstValueFrom(client.send<Answered>(questionPattern('observeRoom', redis.prefix), encodeQuestion<'observeRoom'>(randomUUID(), { tenantId: 't', roomId: 'r' })));
  expect(answer).toEqual({ ok: false, error: { outcome: 'server', reason: 'internal-error', message: 'Something went wrong on our side.' } });
});
