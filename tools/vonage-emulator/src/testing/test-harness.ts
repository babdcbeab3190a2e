/** What the tests share: an emulator in this process, a customer's webhook server, and the vendor's own SDKs. */
import { generateKeyPairSync } from 'node:crypto';
import Fastify, { type FastifyInstance } from 'fastify';
import { Vonage } from '@vonage/server-sdk';
import OpenTok from 'opentok';
import type { EmulatorConfigInput, EmulatorConfigPatch } from '../config.ts';
import { EmulatorClient } from '../control-client.ts';
import { createEmulator, type Emulator } from '../emulator.ts';

export const keys = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
});
export const APP = 'a1b2c3d4-0000-4000-8000-000000000001';
export const PROJECT = '46000001';
export const PROJECT_SECRET = 'project-secret';
export const NUMBER = '442079460000';
export const ACCOUNT = { apiKey: 'acc12345', apiSecret: 'account-secret', signatureSecret: 'signature-secret' };
export const SIP_URI = `sip:${NUMBER}@sip.nexmo.com;transport=tls`;
export const SIP_AUTH = { username: ACCOUNT.apiKey, password: ACCOUNT.apiSecret };

export interface Hook {
  path: string;
  method: string;
  headers: Record<string, string>;
  query: Record<string, string>;
  raw: string;
  body: Record<string, unknown>;
}

/** A reply to one webhook: JSON, or a status, or both. */
export interface Reply {
  status?: number;
  json?: unknown;
  text?: string;
}

export interface Stage {
  emulator: Emulator;
  client: EmulatorClient;
  hooksUrl: string;
  /** Every webhook the customer's server got, in order of arrival. */
  hooks: Hook[];
  /** How the customer's server answers, by path; a function sees the webhook. */
  on: Map<string, (hook: Hook) => Reply>;
  opentok: OpenTok;
  vonage: Vonage;
  /** Forgets all calls, hooks, answers and faults: between tests. */
  fresh(): Promise<void>;
  close(): Promise<void>;
}

async function customerServer(hooks: Hook[], on: Stage['on']): Promise<{ server: FastifyInstance; url: string }> {
  const server = Fastify({ forceCloseConnections: true });
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body));
  server.all('/*', async (request, reply) => {
    const raw = typeof request.body === 'string' ? request.body : '';
    const hook: Hook = {
      path: request.url.split('?')[0] ?? '',
      method: request.method,
      headers: request.headers as Hook['headers'],
      query: request.query as Hook['query'],
      raw,
      body: raw === '' ? {} : (JSON.parse(raw) as Hook['body']),
    };
    hooks.push(hook);
    const answer = on.get(hook.path)?.(hook) ?? {};
    return reply
      .code(answer.status ?? 200)
      .type('application/json')
      .send(answer.text ?? (answer.json === undefined ? '' : JSON.stringify(answer.json)));
  });
  return { server, url: await server.listen({ host: '127.0.0.1', port: 0 }) };
}

/** Sets the stage: one application with one number, one legacy project, callbacks to the customer's server. */
export async function setStage(config: EmulatorConfigInput = {}, patch: EmulatorConfigPatch = {}): Promise<Stage> {
  const hooks: Hook[] = [];
  const on: Stage['on'] = new Map();
  const { server, url } = await customerServer(hooks, on);
  const video = { sessionCallbackUrl: `${url}/session`, sipCallbackUrl: `${url}/sip` };
  const emulator = await createEmulator({
    account: ACCOUNT,
    projects: [{ apiKey: PROJECT, apiSecret: PROJECT_SECRET, ...video }],
    applications: [{ id: APP, publicKey: keys.publicKey, answerUrl: `${url}/answer`, eventUrl: `${url}/event`, video }],
    numbers: [{ e164: `+${NUMBER}`, applicationId: APP }],
    ...config,
    limits: { enabled: false, ...config.limits },
    timings: { talkMsPerCharacter: 0.2, phoneAnswerMs: 5, sipDialMs: 2, sipRingMs: 2, ...config.timings },
  });
  const client = new EmulatorClient(emulator.url);
  await client.putConfig(patch);
  return {
    emulator,
    client,
    hooksUrl: url,
    hooks,
    on,
    opentok: new OpenTok(PROJECT, PROJECT_SECRET, emulator.url),
    vonage: new Vonage(
      { apiKey: ACCOUNT.apiKey, apiSecret: ACCOUNT.apiSecret, applicationId: APP, privateKey: keys.privateKey },
      { apiHost: emulator.url, videoHost: emulator.url },
    ),
    async fresh() {
      await client.reset();
      hooks.length = 0;
      on.clear();
    },
    async close() {
      await emulator.close();
      await server.close();
    },
  };
}

/** opentok's callbacks as promises, settling once (contract §0.3). */
export const promised = <T>(call: (done: (error: Error | null, value?: T) => void) => void): Promise<T> =>
  new Promise((resolve, reject) =>
    call((error, value) => (error === null || error === undefined ? resolve(value as T) : reject(error))),
  );

/** A routed session by the legacy SDK. */
export const routedSession = async ({ opentok }: Stage): Promise<string> =>
  (await promised<{ sessionId: string }>((done) => opentok.createSession({ mediaMode: 'routed' }, done))).sessionId;
