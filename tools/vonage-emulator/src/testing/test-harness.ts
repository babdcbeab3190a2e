/** Test harness: an emulator in this process, a customer's webhook server, and the Vonage SDKs. */
import { generateKeyPairSync } from 'node:crypto';
import Fastify, { type FastifyInstance } from 'fastify';
import { Vonage } from '@vonage/server-sdk';
import OpenTok from 'opentok';
import type { EmulatorConfigInput } from '../config.ts';
import { EmulatorClient } from '../control-client.ts';
import { createEmulator, type Emulator } from '../emulator.ts';

export const applicationKeys = generateKeyPairSync('rsa', {
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

/** The reply to one webhook. Default: status 200 with an empty body. */
export interface Reply {
  status?: number;
  json?: unknown;
  text?: string;
}

export interface Harness {
  emulator: Emulator;
  client: EmulatorClient;
  hooksUrl: string;
  /** Every webhook that the customer's server received, in order of arrival. */
  hooks: Hook[];
  /** Replies of the customer's server, by path. */
  replies: Map<string, (hook: Hook) => Reply>;
  /** What a reply of the customer's server waits for, by path. */
  waits: Map<string, (hook: Hook) => Promise<void> | undefined>;
  opentok: OpenTok;
  vonage: Vonage;
  /** Deletes all calls, hooks, replies and faults, between tests. */
  reset(): Promise<void>;
  close(): Promise<void>;
}

async function startCustomerServer(
  hooks: Hook[],
  replies: Harness['replies'],
  waits: Harness['waits'],
): Promise<{ server: FastifyInstance; url: string }> {
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
    await waits.get(hook.path)?.(hook);
    const answer = replies.get(hook.path)?.(hook) ?? {};
    return reply
      .code(answer.status ?? 200)
      .type('application/json')
      .send(answer.text ?? (answer.json === undefined ? '' : JSON.stringify(answer.json)));
  });
  return { server, url: await server.listen({ host: '127.0.0.1', port: 0 }) };
}

/** Parts of the emulator's configuration that a test may override. */
export type HarnessOptions = Pick<EmulatorConfigInput, 'clock' | 'limits' | 'rates' | 'timings'>;

/**
 * Starts an emulator with one application, one number and one legacy project, and a webhook server
 * that receives their callbacks. Rate limits are off by default.
 */
export async function startTestHarness(options: HarnessOptions = {}): Promise<Harness> {
  const hooks: Hook[] = [];
  const replies: Harness['replies'] = new Map();
  const waits: Harness['waits'] = new Map();
  const { server, url } = await startCustomerServer(hooks, replies, waits);
  const video = { sessionCallbackUrl: `${url}/session`, sipCallbackUrl: `${url}/sip` };
  const emulator = await createEmulator({
    account: ACCOUNT,
    projects: [{ apiKey: PROJECT, apiSecret: PROJECT_SECRET, ...video }],
    applications: [
      { id: APP, publicKey: applicationKeys.publicKey, answerUrl: `${url}/answer`, eventUrl: `${url}/event`, video },
    ],
    numbers: [{ e164: `+${NUMBER}`, applicationId: APP }],
    ...options,
    limits: { enabled: false, ...options.limits },
    timings: { talkMsPerCharacter: 0.2, phoneAnswerMs: 5, sipDialMs: 2, sipRingMs: 2, ...options.timings },
  });
  const client = new EmulatorClient(emulator.url);
  return {
    emulator,
    client,
    hooksUrl: url,
    hooks,
    replies,
    waits,
    opentok: new OpenTok(PROJECT, PROJECT_SECRET, emulator.url),
    vonage: new Vonage(
      {
        apiKey: ACCOUNT.apiKey,
        apiSecret: ACCOUNT.apiSecret,
        applicationId: APP,
        privateKey: applicationKeys.privateKey,
      },
      { apiHost: emulator.url, videoHost: emulator.url },
    ),
    async reset() {
      await client.reset();
      hooks.length = 0;
      replies.clear();
      waits.clear();
    },
    async close() {
      await emulator.close();
      await server.close();
    },
  };
}

/** Converts an opentok callback into a promise that settles once (contract §0.3). */
export const toPromise = <T>(call: (done: (error: Error | null, value?: T) => void) => void): Promise<T> =>
  new Promise((resolve, reject) =>
    call((error, value) => (error === null || error === undefined ? resolve(value as T) : reject(error))),
  );

/** Creates a routed session with the legacy SDK. Returns its id. */
export const createRoutedSession = async ({ opentok }: Harness): Promise<string> =>
  (await toPromise<{ sessionId: string }>((done) => opentok.createSession({ mediaMode: 'routed' }, done))).sessionId;
