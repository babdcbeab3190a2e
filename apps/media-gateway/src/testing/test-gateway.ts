import 'reflect-metadata';
import { randomInt } from 'node:crypto';
import { startBaresip, type BaresipOptions, type BaresipPhone } from '@partyline/dev/phones/baresip';
import type { Phone } from '@partyline/dev/phones/phone';
import { startSipp, type SippOptions, type SippPhone } from '@partyline/dev/phones/sipp';
import type { CalleeScenario, CallerScenario } from '@partyline/dev/phones/sipp-scenario';
import { providerDeps } from '@partyline/provider-contract/testing/provider-deps';
import { startWebhookReceiver, type WebhookReceiver } from '@partyline/provider-contract/testing/webhook-receiver';
import type { VoiceProvider } from '@partyline/provider-contract/voice-provider';
import { janusVoice } from '@partyline/provider-janus/voice/janus-voice';
import {
  answerWebhook,
  callWebhook,
  type AnswerWebhook,
  type CallStepMessage,
  type CallWebhook,
} from '@partyline/provider-janus/wire';
import { readConfig } from '@partyline/runtime/config';
import { openLogger } from '@partyline/runtime/logging';
import { openMetrics } from '@partyline/runtime/metrics';
import { startService } from '@partyline/runtime/service';
import { systemClock, systemSecret, systemSleep } from '@partyline/runtime/system';
import { createTestJanus, type TestJanus } from '@partyline/testing/janus';
import { createTestKamailio, type TestKamailio } from '@partyline/testing/kamailio';
import type { TestRtpengine } from '@partyline/testing/rtpengine';
import { levelOf, tone } from '@partyline/testing/tones';
import { expect, vi } from 'vitest';
import { SOCKET_PATH } from '../browsers/browsers.ts';
import { composeGateway } from '../compose-gateway.ts';
import { drainAll } from '../drain-all.ts';
import type { Gateway, GatewayOptions } from '../gateway.ts';
import { attachSockets } from '../sockets/attach-sockets.ts';

export const GATEWAY_ID = 'one';
export const GATEWAY_SECRET = 'gateway-secret-of-thirty-two-characters';
/** The account of the trunk 127.0.0.1, from which all test phones call. */
export const ACCOUNT = 'platform';
export const HOLD_MUSIC_HZ = 300;
/** Tones are heard at about -20 dBFS, and everything else is below -60. */
const HEARD_DBFS = -40;
const WINDOW_MS = 300;
const MAX_BROWSERS = 50;
/** Phones that a test has killed answer no BYE. */
const BYE_MS = 5_000;
const WAIT = { timeout: 30_000, interval: 20 };
/** Frequencies of spoken texts: no multiple of one is another, or a tone of a phone. */
const TEXT_TONES_HZ = [620, 740, 860, 980, 1120, 1270, 1430, 1590, 1750, 1910, 2080, 2230];
const TEXT_SECONDS = 0.6;

export interface TestGatewayOptions {
  readonly maxCalls?: number;
  readonly mediaTimeoutMs?: number;
  /** Kamailio gives a call to another gateway after this time without an answer; 6,000 by default. */
  readonly decideMs?: number;
  /** Whether kamailio also listens for TLS. */
  readonly tls?: boolean;
  /** The relay through which kamailio sends the audio of all calls. None by default. */
  readonly rtpengine?: TestRtpengine;
  /** Returns where the gateway reaches Janus, given its URL. That itself by default. */
  readonly janusUrl?: (janusUrl: string) => Promise<string>;
  /** Its id, and its port for control requests. A free one by default. */
  readonly self?: { readonly id: string; readonly port: number };
  /** All gateways, itself included, if there are several. */
  readonly gateways?: GatewayOptions['gateways'];
  /** Its kamailio and receiver of webhooks, which it does not stop. Its own by default. */
  readonly shared?: Pick<TestGateway, 'kamailio' | 'hooks'>;
  /** Returns where the gateway sends its webhooks, given the receiver. That itself by default. */
  readonly webhookUrl?: (receiverUrl: string) => Promise<string>;
}

/**
 * A gateway in this process, with its control requests over HTTP, between a real Janus, a real
 * kamailio and a receiver of webhooks. Spoken texts are tones, so that a test recognises them.
 */
export interface TestGateway {
  readonly gateway: Gateway;
  /** The options of the gateway, to start another one like it. */
  readonly gatewayOptions: GatewayOptions;
  readonly janus: TestJanus;
  readonly kamailio: TestKamailio;
  readonly hooks: WebhookReceiver;
  /** Base URL of the control requests. */
  readonly controlUrl: string;
  /** What the gateway has logged: JSON lines. */
  readonly log: readonly string[];
  /** Returns the provider that controls the gateway. @param trunk where its calls leave */
  voice(trunk?: { host: string; transport?: 'tcp' | 'tls'; username?: string; password?: string }): VoiceProvider;
  /** Returns a new number, whose calls get this reply to their answer webhook. */
  number(reply: AnswerReply): string;
  /** Sets the reply to a digits webhook, and returns its URL. */
  digitsUrl(reply?: (body: unknown) => unknown): string;
  /** The URL of events of calls. */
  readonly eventUrl: string;
  /** Waits for a call to a number, or from one. @returns its answer webhook */
  answerOf(number: string): Promise<AnswerWebhook>;
  /** The events of a call so far. */
  eventsOf(callId: string): readonly CallWebhook[];
  /** Waits until a call is over, and returns that event. */
  overOf(callId: string): Promise<Extract<CallWebhook, { kind: 'call' }>>;
  /** The SIP URI of a number at kamailio. */
  uriOf(number: string): string;
  /** The frequency of a spoken text. */
  toneOf(text: string): number;
  /** Starts a baresip. It ends with `hangUpPhones`. */
  phone(options?: Partial<BaresipOptions>): Promise<BaresipPhone>;
  /** Starts a SIPp that calls a number. */
  caller(number: string, scenario?: Partial<CallerScenario>, options?: Partial<SippOptions>): Promise<SippPhone>;
  /** Starts a SIPp that receives calls. */
  callee(scenario?: Partial<CalleeScenario>, options?: Partial<SippOptions>): Promise<SippPhone>;
  /** Takes no new calls and conferences; resolves when none is left. */
  drain(): Promise<void>;
  /** Stops all phones, and waits until no call is live. */
  hangUpPhones(): Promise<void>;
  stop(): Promise<void>;
}

/** The reply to an answer webhook: steps, another body, or a function of the webhook. */
type AnswerReply = readonly CallStepMessage[] | ((body: AnswerWebhook) => unknown);

/** Whether a phone hears a tone at this moment. */
export const hears = (phone: BaresipPhone, hz: number): boolean => levelHeard(phone, hz) > HEARD_DBFS;

/** The level of a tone in what a phone has just heard, in dBFS. */
function levelHeard(phone: BaresipPhone, hz: number): number {
  const { samples, rate } = phone.heard({ fromMs: -WINDOW_MS });
  return samples.length === 0 ? -144 : levelOf(samples, hz, rate);
}

export async function startTestGateway(options: TestGatewayOptions = {}): Promise<TestGateway> {
  const { id: gatewayId, port } = options.self ?? { id: GATEWAY_ID, port: 0 };
  const hooks = options.shared?.hooks ?? (await startWebhookReceiver());
  const webhookUrl = (await options.webhookUrl?.(hooks.url)) ?? hooks.url;
  const [janus, kamailio] = await Promise.all([
    createTestJanus(),
    options.shared?.kamailio ??
      createTestKamailio({
        trunks: [{ address: '127.0.0.1', port: 0, account: ACCOUNT }],
        byeMs: BYE_MS,
        ...(options.decideMs !== undefined && { gatewayDecideMs: options.decideMs }),
        ...(options.tls && { tls: true }),
        ...(options.rtpengine && { rtpengine: options.rtpengine.control }),
      }),
  ]);
  const log: string[] = [];
  const logger = openLogger(
    { service: 'media-gateway', level: 'info' },
    { write: (line: string) => void log.push(line) },
  );
  const tones = new Map<string, number>();
  const toneOf = (text: string): number => {
    const hz = tones.get(text) ?? TEXT_TONES_HZ[tones.size];
    if (hz === undefined) throw new Error(`A test can have ${TEXT_TONES_HZ.length} spoken texts.`);
    tones.set(text, hz);
    return hz;
  };
  const gatewayOptions: GatewayOptions = {
    gatewayId,
    janus: {
      url: (await options.janusUrl?.(janus.url)) ?? janus.url,
      apiSecret: janus.apiSecret,
      adminKey: janus.adminKey,
    },
    kamailio: {
      sip: kamailio.sipUri,
      rpc: { url: kamailio.rpcUrl, secret: kamailio.rpcSecret },
      secret: kamailio.gatewaySecret,
    },
    maxCalls: options.maxCalls ?? 8,
    gateways: options.gateways ?? [],
    localIp: '127.0.0.1',
    mediaTimeoutMs: options.mediaTimeoutMs ?? 30_000,
    webhooks: { baseUrl: webhookUrl, secret: GATEWAY_SECRET, clock: systemClock, nonce: systemSecret },
    clock: systemClock,
    timers: {
      now: () => performance.now(),
      setTimer(ms, callback) {
        const timer = setTimeout(callback, ms);
        return () => clearTimeout(timer);
      },
    },
    sleep: systemSleep,
    secret: systemSecret,
    random: () => randomInt(2 ** 32),
    speak: async (text, _language, rate) => tone(toneOf(text), TEXT_SECONDS, rate, -20),
    holdMusic: (rate) => tone(HOLD_MUSIC_HZ, 1, rate, -24),
    log: logger,
  };
  const { gateway, browsers, members, module } = composeGateway({
    ...gatewayOptions,
    ice: { stunUrls: [], turnUrls: [], turnSecret: undefined },
    maxBrowsers: MAX_BROWSERS,
  });
  const service = await startService({
    config: readConfig({ HOST: '127.0.0.1', PORT: String(port), MANAGEMENT_PORT: '0', DRAIN_SECONDS: '1' }, [
      'service',
    ]),
    log: logger,
    metrics: openMetrics(),
    module,
    ready: {},
    prepare: (app) => attachSockets(app.getHttpServer(), [browsers, members]),
    drain: async () => {
      members.close();
      await browsers.close();
      await gateway.close();
    },
    close: async () => undefined,
  });
  // `expect.poll` works only in a test.
  await vi.waitFor(() => expect(gateway.link.current, 'the gateway is ready').toBeDefined(), WAIT);

  const replies = new Map<string, AnswerReply>();
  // Gateways that share a receiver get the replies of the first one.
  if (options.shared === undefined)
    hooks.setReply('/v1/voice/answer', ({ body }) => {
      const answer = answerWebhook.parse(body);
      const reply = replies.get(answer.to ?? '') ?? [];
      return typeof reply === 'function' ? reply(answer) : { steps: reply };
    });
  let numbers = 0;
  let digits = 0;
  const phones: Phone[] = [];
  const eventsOf = (callId: string): CallWebhook[] =>
    hooks.received.flatMap(({ body }) => {
      const parsed = callWebhook.safeParse(body);
      return parsed.success && parsed.data.callId === callId ? [parsed.data] : [];
    });
  return {
    gateway,
    gatewayOptions,
    janus,
    kamailio,
    hooks,
    controlUrl: service.url,
    log,
    voice: (trunk) =>
      janusVoice.create(
        janusVoice.account.parse({
          account: ACCOUNT,
          gateways: [{ id: gatewayId, url: service.url }],
          secret: GATEWAY_SECRET,
          kamailio: { url: kamailio.rpcUrl, secret: kamailio.rpcSecret },
          ...(trunk === undefined ? {} : { trunk }),
          socketUrl: `${service.url.replace('http', 'ws')}${SOCKET_PATH}`,
        }),
        providerDeps(10_000),
      ),
    number(reply) {
      numbers += 1;
      const number = `+1202555${String(numbers).padStart(4, '0')}`;
      replies.set(number, reply);
      return number;
    },
    digitsUrl(reply = () => ({ steps: [] })) {
      digits += 1;
      const path = `/v1/voice/digits/token/${digits}`;
      hooks.setReply(path, ({ body }) => reply(body));
      return `${hooks.url}${path}`;
    },
    eventUrl: `${hooks.url}/v1/voice/events`,
    async answerOf(number) {
      const { body } = await hooks.waitFor(
        '/v1/voice/answer',
        (webhook) => answerWebhook.safeParse(webhook.body).data?.to === number,
      );
      return answerWebhook.parse(body);
    },
    eventsOf,
    overOf: (callId) =>
      vi.waitFor(() => {
        const over = eventsOf(callId).find((event) => event.kind === 'call' && event.phase === 'over');
        if (over?.kind !== 'call') throw new Error('The call is not over.');
        return over;
      }, WAIT),
    uriOf: (number) => `sip:${number}@${kamailio.sipUri}`,
    toneOf,
    async phone(wanted) {
      const phone = await startBaresip({ user: '+447700900123', ...wanted });
      phones.push(phone);
      return phone;
    },
    async caller(number, scenario, wanted) {
      const phone = await startSipp({
        scenario: { kind: 'caller', to: number, from: '+447700900124', ...scenario },
        target: kamailio.sipUri,
        ...wanted,
      });
      phones.push(phone);
      return phone;
    },
    async callee(scenario, wanted) {
      const phone = await startSipp({ scenario: { kind: 'callee', ...scenario }, calls: 1, ...wanted });
      phones.push(phone);
      return phone;
    },
    drain: () => drainAll([gateway, browsers, members]),
    async hangUpPhones() {
      await Promise.all(phones.splice(0).map((phone) => phone.stop()));
      for (const call of gateway.calls.listLive()) await call.controls?.hangUp();
      await vi.waitFor(() => expect(gateway.calls.listLive().map((call) => call.view())).toEqual([]), WAIT);
    },
    async stop() {
      await Promise.all(phones.splice(0).map((phone) => phone.stop()));
      await service.stop();
      await Promise.all([janus.stop(), ...(options.shared === undefined ? [kamailio.stop(), hooks.stop()] : [])]);
    },
  };
}
