import { providerDeps } from '@partyline/provider-contract/testing/provider-deps';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import type { MediaProvider } from '@partyline/provider-contract/media-provider';
import {
  describeMediaContract,
  type MediaHarness,
  type MediaOperation,
} from '@partyline/provider-contract/testing/media-contract';
import type { ProviderFault } from '@partyline/provider-contract/testing/provider-fault';
import {
  describeVoiceContract,
  type SimulatedCaller,
  type VoiceHarness,
  type VoiceOperation,
} from '@partyline/provider-contract/testing/voice-contract';
import { startWebhookReceiver, type WebhookReceiver } from '@partyline/provider-contract/testing/webhook-receiver';
import type { VoiceProvider } from '@partyline/provider-contract/voice-provider';
import type { EmulatorClient, FaultsInput, PhoneBehaviour } from '@partyline/vonage-emulator/control-client';
import { startEmulator, type RunningEmulator } from '@partyline/vonage-emulator/launch';
import { opentokMedia } from './media/opentok-media.ts';
import { parseAnswer } from './voice/parse-voice.ts';
import { unifiedMedia } from './media/unified-media.ts';
import { vonageVoice } from './voice/vonage-voice.ts';

const { publicKey, privateKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
});
const APPLICATION = 'a1b2c3d4-0000-4000-8000-000000000001';
const PROJECT = { apiKey: '46000001', apiSecret: 'opentok-project-secret' };
const ACCOUNT = {
  apiKey: 'acc12345',
  apiSecret: 'vonage-account-secret',
  signatureSecret: 'signature-secret-of-thirty-two-or-more',
};
const CALLBACK_SECRET = 'callback-secret-of-thirty-two-or-more';
const NUMBER = '+442079460000';
const CALLER = '+447700900123';
const SECRETS = [
  PROJECT.apiSecret,
  ACCOUNT.apiSecret,
  ACCOUNT.signatureSecret,
  CALLBACK_SECRET,
  privateKey,
  privateKey.slice(40, 80),
  NUMBER,
  NUMBER.slice(1),
  '447700900999',
  'Bearer ',
];

interface TestSetup {
  readonly emulator: RunningEmulator;
  readonly receiver: WebhookReceiver;
  /** An address that refuses connections. */
  readonly closedUrl: string;
  readonly stop: () => Promise<void>;
}

async function findClosedUrl(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return `http://127.0.0.1:${port}`;
}

async function startTestSetup(): Promise<TestSetup> {
  const receiver = await startWebhookReceiver();
  const hooks = {
    sessionCallbackUrl: `${receiver.url}/media`,
    sipCallbackUrl: `${receiver.url}/media`,
    callbackSecret: CALLBACK_SECRET,
  };
  const emulator = await startEmulator({
    account: ACCOUNT,
    projects: [{ ...PROJECT, ...hooks }],
    applications: [
      {
        id: APPLICATION,
        publicKey,
        answerUrl: `${receiver.url}/answer`,
        answerMethod: 'POST',
        eventUrl: `${receiver.url}/event`,
        video: hooks,
      },
    ],
    numbers: [{ e164: NUMBER, applicationId: APPLICATION }],
    // The tests place more than three calls per second.
    limits: { enabled: false },
    timings: { talkMsPerCharacter: 0.2, phoneAnswerMs: 5, sipDialMs: 2, sipRingMs: 2 },
  });
  // The bridge leg waits in a separate conversation.
  receiver.setReply('/answer', () => [{ action: 'conversation', name: 'bridge' }]);
  const stop = async (): Promise<void> => {
    await emulator.stop();
    await receiver.stop();
  };
  return { emulator, receiver, closedUrl: await findClosedUrl(), stop };
}

type RestRule = NonNullable<FaultsInput['rest']>[number];

const RULES: Readonly<Record<ProviderFault, RestRule['fault']>> = {
  'bad-credentials': '401',
  'rate-limit': '429',
  failing: '500',
  unavailable: '503',
  silence: 'hang',
  reset: 'reset',
  'not-json': 'non-json',
};

const MEDIA_ROUTES: Readonly<Record<MediaOperation, RestRule['route']>> = {
  'open-session': 'create-session',
  dial: 'dial',
  disconnect: 'disconnect',
  'list-connections': 'list-connections',
  mute: 'any',
};

function mediaHarness(
  make: (host: string, timeoutMs: number, sipPassword: string) => MediaProvider,
): () => Promise<MediaHarness> {
  return async () => {
    const { emulator, receiver, closedUrl, stop } = await startTestSetup();
    return {
      now: () => new Date(),
      provider: (timeoutMs) => make(emulator.url, timeoutMs, ACCOUNT.apiSecret),
      unreachableProvider: () => make(closedUrl, 5_000, ACCOUNT.apiSecret),
      providerWithWrongSipPassword: () => make(emulator.url, 5_000, 'not the account secret'),
      receiver,
      number: NUMBER,
      unknownConnectionId: 'c',
      join: (sessionId, token) => emulator.client.joinWebrtc({ sessionId, token }),
      sipHeaders: ({ body }) => parseAnswer(body).headers,
      injectFault: async (operation, fault) =>
        void (await emulator.client.setFaults({ rest: [{ route: MEDIA_ROUTES[operation], fault: RULES[fault] }] })),
      clearFaults: async () => void (await emulator.client.resetFaults()),
      listAllConnectionStates: async () =>
        void (await emulator.client.setFaults({ switches: { connectionStates: 'all' } })),
      secrets: SECRETS,
      stop,
    };
  };
}

const CAPABILITIES = { sipDial: true, sipMonitoring: true, listConnections: true, mute: false };
const sip = (password: string): { username: string; password: string } => ({ username: ACCOUNT.apiKey, password });

describeMediaContract(
  'opentok',
  CAPABILITIES,
  mediaHarness((apiHost, timeoutMs, password) =>
    opentokMedia.create(
      opentokMedia.account.parse({ ...PROJECT, apiHost, sip: sip(password), callbackSecret: CALLBACK_SECRET }),
      providerDeps(timeoutMs),
    ),
  ),
  { opensSessionsLocally: false },
);

describeMediaContract(
  'unified',
  CAPABILITIES,
  mediaHarness((videoHost, timeoutMs, password) =>
    unifiedMedia.create(
      unifiedMedia.account.parse({
        applicationId: APPLICATION,
        privateKey,
        videoHost,
        sip: sip(password),
        callbackSecret: CALLBACK_SECRET,
      }),
      providerDeps(timeoutMs),
    ),
  ),
  { opensSessionsLocally: false },
);

const VOICE_ROUTES: Readonly<Record<VoiceOperation, RestRule['route']>> = {
  'create-call': 'create-call',
  'hang-up': 'hangup',
  mute: 'call-mute',
  say: 'call-talk',
  'send-digits': 'call-dtmf',
  transfer: 'transfer',
  // Not supported.
  'set-deadline': 'hangup',
  'get-call': 'get-call',
  'list-calls': 'list-calls',
};

const PHONE_BEHAVIOURS: Readonly<Record<string, PhoneBehaviour>> = {
  answers: { mode: 'answer' },
  busy: { mode: 'busy' },
  rejects: { mode: 'reject' },
  'never-answers': { mode: 'no-answer' },
  unroutable: { mode: 'failed' },
};

function createSimulatedCaller(client: EmulatorClient, id: string): SimulatedCaller {
  return {
    pressKeys: (digits) => client.key(id, digits),
    waitForPrompt: () => client.awaitPrompt(id),
    async waitForAdmission() {
      const event = await Promise.any([client.awaitEvent(id, 'joined'), client.awaitEvent(id, 'waiting')]);
      return { conversation: event.conversation ?? '', isWaiting: event.event === 'waiting' };
    },
    async isHeard() {
      const { callId } = await client.caller(id);
      const member = (await client.conversations())
        .flatMap(({ members }) => members)
        .find((one) => one.callId === callId);
      return member?.muted === false;
    },
    nextHeardText: async () => (await client.awaitHeard(id)).text,
    async nextHeardTones() {
      return (await client.awaitEvent(id, 'dtmf-heard')).text ?? '';
    },
    waitForEnd: () => client.awaitEnded(id),
    hangUp: () => client.hangUp(id),
  };
}

async function voiceHarness(): Promise<VoiceHarness> {
  const { emulator, receiver, closedUrl, stop } = await startTestSetup();
  const { client } = emulator;
  const make = (apiHost: string, timeoutMs: number): VoiceProvider =>
    vonageVoice.create(
      vonageVoice.account.parse({
        apiKey: ACCOUNT.apiKey,
        applicationId: APPLICATION,
        privateKey,
        signatureSecret: ACCOUNT.signatureSecret,
        apiHost,
      }),
      providerDeps(timeoutMs),
    );
  let phones = 0;
  return {
    now: () => new Date(),
    provider: (timeoutMs) => make(emulator.url, timeoutMs),
    unreachableProvider: () => make(closedUrl, 5_000),
    receiver,
    number: NUMBER,
    async addPhone(habit) {
      phones += 1;
      const number = `+4477009011${String(phones).padStart(2, '0')}`;
      await client.setPhone(number, PHONE_BEHAVIOURS[habit] ?? { mode: 'answer' });
      return number;
    },
    callerAt: async (number) => createSimulatedCaller(client, (await client.awaitRing(number)).id),
    callIn: async () => createSimulatedCaller(client, (await client.dial({ from: CALLER, to: NUMBER })).id),
    unknownCallId: '00000000-0000-4000-8000-000000000000',
    rejectYoungCalls: async (on) => void (await client.setFaults({ switches: { earlyPut400Ms: on ? 60_000 : 0 } })),
    injectFault: async (operation, fault) =>
      void (await client.setFaults({ rest: [{ route: VOICE_ROUTES[operation], fault: RULES[fault] }] })),
    clearFaults: async () => void (await client.resetFaults()),
    secrets: SECRETS,
    stop,
  };
}

describeVoiceContract(
  'vonage',
  { listCalls: true, mute: true, sendDigits: true, say: true, transfer: true, setDeadline: false },
  voiceHarness,
  {
    rejectsYoungCalls: true,
  },
);
