import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import type { BaresipPhone } from '@partyline/dev/phones/baresip';
import { describeMediaContract, type MediaHarness } from '@partyline/provider-contract/testing/media-contract';
import { providerDeps } from '@partyline/provider-contract/testing/provider-deps';
import {
  describeVoiceContract,
  type SimulatedCaller,
  type VoiceHarness,
} from '@partyline/provider-contract/testing/voice-contract';
import type { VoiceProvider } from '@partyline/provider-contract/voice-provider';
import { janusMedia } from '@partyline/provider-janus/media/janus-media';
import { janusVoice } from '@partyline/provider-janus/voice/janus-voice';
import { planReply } from '@partyline/provider-janus/wire';
import { vi } from 'vitest';
import { SOCKET_PATH } from './browsers/browsers.ts';
import { startHttpProxy, type HttpFault, type ProxiedRequest } from './testing/http-proxy.ts';
import { joinWithAudio, type TestBrowser } from './testing/socket-client.ts';
import { ACCOUNT, GATEWAY_ID, GATEWAY_SECRET, hears, HOLD_MUSIC_HZ, startTestGateway } from './testing/test-gateway.ts';

const NUMBER = '+442079460000';
const CALLER = '+447700900123';
const UNKNOWN_ID = `${GATEWAY_ID}.0000000000000000000000`;
const WAIT = { timeout: 30_000, interval: 20 };
/** Long enough to notice that a tone has begun or ended. */
const LISTENING_MS = 600;
const KEY_PAUSE_MS = 4_000;

/** The paths at which the contract expects webhooks. */
const CONTRACT_PATHS: Readonly<Record<string, string>> = {
  '/v1/voice/answer': '/answer',
  '/v1/voice/events': '/event',
  '/v1/video/events': '/media',
};

/** The control request of each operation of the contracts. */
const OPERATIONS: Readonly<Record<string, RegExp>> = {
  'create-call': /^POST \/v1\/calls$/,
  'hang-up': /^POST \/v1\/calls\/[^/]+\/hang-up$/,
  mute: /^POST \/v1\/calls\/[^/]+\/mute$/,
  transfer: /^POST \/v1\/calls\/[^/]+\/transfer$/,
  'set-deadline': /^POST \/v1\/calls\/[^/]+\/deadline$/,
  say: /^POST \/v1\/calls\/[^/]+\/say$/,
  'send-digits': /^POST \/v1\/calls\/[^/]+\/digits$/,
  'get-call': /^GET \/v1\/calls\/[^/]+$/,
  'list-calls': /^GET \/v1\/calls\?/,
  disconnect: /^POST \/v1\/conferences\/.*\/disconnect$/,
  'list-connections': /^GET \/v1\/conferences\/[^/]+\/connections$/,
  'mute-connection': /^POST \/v1\/conferences\/.*\/mute$/,
};

async function findClosedUrl(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return `http://127.0.0.1:${port}`;
}

/** A gateway whose webhooks arrive where the contract expects them, behind a proxy with faults. */
async function startSetup() {
  /** The conference that the plan of a call joins, by call id. */
  const joined = new Map<string, string>();
  const stops: (() => Promise<void>)[] = [];
  let webhookUrl = '';
  const gateway = await startTestGateway({
    async webhookUrl(receiver) {
      const proxy = await startHttpProxy(receiver, {
        pathOf: ({ path }) => CONTRACT_PATHS[path] ?? path,
        onReply(request, body) {
          const plan = planReply.safeParse(body === '' ? undefined : JSON.parse(body));
          const join = plan.data?.steps.find((step) => step.do === 'join');
          if (join !== undefined)
            joined.set((JSON.parse(request.body) as { callId: string }).callId, join.conversation);
        },
      });
      stops.push(() => proxy.stop());
      webhookUrl = proxy.url;
      return webhookUrl;
    },
  });
  let fault: { operation: string; kind: HttpFault } | undefined;
  const proxy = await startHttpProxy(gateway.controlUrl, {
    faultOf: ({ method, path }: ProxiedRequest) =>
      fault !== undefined && OPERATIONS[fault.operation]?.test(`${method} ${path}`) ? fault.kind : undefined,
  });
  const closedUrl = await findClosedUrl();
  const account = (url: string, kamailioUrl: string, trunk?: string) =>
    janusVoice.account.parse({
      account: ACCOUNT,
      gateways: [{ id: GATEWAY_ID, url }],
      secret: GATEWAY_SECRET,
      kamailio: { url: kamailioUrl, secret: gateway.kamailio.rpcSecret },
      trunk: { host: trunk ?? '127.0.0.1:1' },
      socketUrl: `${gateway.controlUrl.replace('http', 'ws')}${SOCKET_PATH}`,
    });
  return {
    gateway,
    joined,
    receiver: { ...gateway.hooks, url: webhookUrl },
    account: (trunk?: string) => account(proxy.url, gateway.kamailio.rpcUrl, trunk),
    unreachableAccount: () => account(closedUrl, closedUrl),
    injectFault: async (operation: string, kind: HttpFault) => void (fault = { operation, kind }),
    clearFaults: async () => void (fault = undefined),
    secrets: [GATEWAY_SECRET, gateway.kamailio.rpcSecret, NUMBER, NUMBER.slice(1), '447700900999', 'Bearer '],
    stop: async () => {
      await gateway.stop();
      await proxy.stop();
      await Promise.all(stops.map((stop) => stop()));
    },
  };
}

async function voiceHarness(): Promise<VoiceHarness> {
  const { gateway, joined, account, unreachableAccount, stop, ...common } = await startSetup();
  /** The trunks of the phones: each phone is its own. */
  const trunks = new Map<string, string>();
  const phones = new Map<string, BaresipPhone>();
  const texts = new Set<string>(['Please key your PIN.']);
  let lastHz = 2_000;

  const provider = (timeoutMs: number): VoiceProvider => {
    const voice = janusVoice.create(account(), providerDeps(timeoutMs));
    return {
      ...voice,
      createCall: (input) =>
        janusVoice.create(account(trunks.get(input.to)), providerDeps(timeoutMs)).createCall(input),
      say(callId, text, language) {
        texts.add(text);
        return voice.say(callId, text, language);
      },
      async transfer(callId, plan) {
        await voice.transfer(callId, plan);
        const join = plan.find((step) => step.do === 'join');
        if (join !== undefined) joined.set(callId, join.conversation);
      },
    };
  };

  /** @param callId returns the id of the call of the phone */
  const personAt = (phone: BaresipPhone, hz: number, callId: () => string | undefined): SimulatedCaller => ({
    pressKeys: (digits) => phone.pressKeys(digits),
    waitForPrompt: () => vi.waitUntil(() => hears(phone, gateway.toneOf('Please key your PIN.')), WAIT),
    async waitForAdmission() {
      const id = await vi.waitUntil(callId, WAIT);
      const isMoved = () => gateway.eventsOf(id).some(({ kind }) => kind === 'moved');
      await vi.waitUntil(isMoved, WAIT);
      // Music or the mix: one of them comes at once.
      await new Promise((resolve) => setTimeout(resolve, LISTENING_MS));
      return { conversation: joined.get(id) ?? '', isWaiting: hears(phone, HOLD_MUSIC_HZ) };
    },
    async isHeard() {
      const number = gateway.number([
        { do: 'join', conversation: joined.get(callId() ?? '') ?? '', eventUrl: gateway.eventUrl },
      ]);
      const listener = await gateway.phone({ user: 'listener' });
      await listener.dial(gateway.uriOf(number));
      await listener.waitFor('established');
      await new Promise((resolve) => setTimeout(resolve, 2 * LISTENING_MS));
      const isHeard = hears(listener, hz);
      await listener.stop();
      return isHeard;
    },
    async nextHeardText() {
      return vi.waitUntil(() => [...texts].find((text) => hears(phone, gateway.toneOf(text))), WAIT);
    },
    async nextHeardTones() {
      let keys = '';
      while (keys === '' || keys !== phone.keysReceived()) {
        keys = phone.keysReceived();
        await new Promise((resolve) => setTimeout(resolve, KEY_PAUSE_MS));
      }
      return keys;
    },
    waitForEnd: () => phone.waitFor('closed'),
    hangUp: () => phone.hangUp(),
  });
  const newTone = (): number => (lastHz += 97);
  const hzOf = new Map<string, number>();

  return {
    ...common,
    now: () => new Date(),
    provider,
    unreachableProvider: () => janusVoice.create(unreachableAccount(), providerDeps(5_000)),
    number: NUMBER,
    unknownCallId: UNKNOWN_ID,
    async addPhone(habit) {
      const number = `+4477009011${String(trunks.size).padStart(2, '0')}`;
      if (habit === 'answers' || habit === 'unroutable') {
        const hz = newTone();
        const phone = await gateway.phone({ user: number, answer: 'auto', microphone: { hz } });
        hzOf.set(number, hz);
        phones.set(number, phone);
        trunks.set(number, `127.0.0.1:${phone.sipPort}`);
        return number;
      }
      const refusals = { busy: [486, 'Busy Here'], rejects: [603, 'Decline'] } as const;
      const callee = await gateway.callee(
        habit === 'never-answers' ? { neverAnswers: true } : { refuseWith: refusals[habit] },
      );
      trunks.set(number, `127.0.0.1:${callee.sipPort}`);
      return number;
    },
    async callerAt(number) {
      const phone = phones.get(number);
      if (phone === undefined) throw new Error(`No phone has the number ${number}.`);
      await phone.waitFor('established');
      return personAt(phone, hzOf.get(number) ?? 0, () =>
        phone
          .messages()
          .flatMap(({ headers }) =>
            headers.flatMap(([name, value]) => (name.toLowerCase() === 'call-id' ? [value] : [])),
          )
          .at(-1),
      );
    },
    async callIn() {
      const hz = newTone();
      const phone = await gateway.phone({ user: CALLER, microphone: { hz } });
      await phone.dial(gateway.uriOf(NUMBER));
      return personAt(
        phone,
        hz,
        () => gateway.gateway.calls.listLive().find(({ facts }) => facts.from === CALLER)?.facts.callId,
      );
    },
    stop,
  };
}

describeVoiceContract(
  'janus',
  { listCalls: true, mute: true, sendDigits: true, say: true, transfer: true, setDeadline: true },
  voiceHarness,
  {
    rejectsYoungCalls: false,
  },
);

async function mediaHarness(): Promise<MediaHarness> {
  const { gateway, account, unreachableAccount, injectFault, stop, ...common } = await startSetup();
  const browsers: TestBrowser[] = [];
  return {
    ...common,
    now: () => new Date(),
    provider: (timeoutMs) => janusMedia.create(account(), providerDeps(timeoutMs)),
    unreachableProvider: () => janusMedia.create(unreachableAccount(), providerDeps(5_000)),
    providerWithWrongSipPassword: () => {
      throw new Error('No bridge is dialled here.');
    },
    number: NUMBER,
    unknownConnectionId: UNKNOWN_ID,
    async join(_mediaSessionId, token) {
      const browser = await joinWithAudio(account().socketUrl, token);
      browsers.push(browser);
      const { connectionId } = browser.joined;
      await vi.waitUntil(() => gateway.hooks.received.some(({ rawBody }) => rawBody.includes(connectionId)), WAIT);
      const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { data: string };
      return { connectionId, data: claims.data };
    },
    sipHeaders: () => ({}),
    injectFault: (operation, kind) => injectFault(operation === 'mute' ? 'mute-connection' : operation, kind),
    listAllConnectionStates: async () => undefined,
    async stop() {
      await Promise.all(browsers.map((browser) => browser.close().catch(() => undefined)));
      await stop();
    },
  };
}

describeMediaContract(
  'janus',
  { sipDial: false, sipMonitoring: false, listConnections: true, mute: true },
  mediaHarness,
  { opensSessionsLocally: true },
);
