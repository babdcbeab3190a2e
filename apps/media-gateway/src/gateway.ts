import { createHmac } from 'node:crypto';
import { VerdictError } from '@partyline/domain/verdict';
import type { Clock } from '@partyline/domain/clock';
import { checkKamailio } from '@partyline/provider-janus/check-kamailio';
import { setDeadline } from '@partyline/provider-janus/dialogs';
import type { CallWebhook, CreateCallRequest } from '@partyline/provider-janus/wire';
import type { Gateway as RemoteGateway } from '@partyline/provider-janus/gateways';
import type { KamailioRpc } from '@partyline/provider-janus/kamailio-rpc';
import { JanusError } from '@partyline/janus/janus-error';
import { OpusCodecs } from './audio/codecs/opus.ts';
import { FrameClock, type Timers } from './audio/frame-clock.ts';
import { CallRegistry } from './calls/call-registry.ts';
import { Call, type CallFacts } from './calls/call.ts';
import type { CallDeps } from './calls/call-deps.ts';
import { LostCalls } from './calls/lost-calls.ts';
import { placeCall } from './calls/place-call.ts';
import { receiveCall } from './calls/receive-call.ts';
import type { HomeState } from './gateways/messages.ts';
import { openOtherGateways, type OtherGateways } from './gateways/other-gateways.ts';
import { takePlace } from './gateways/take-place.ts';
import { JanusLink } from './janus-link.ts';
import { openVoiceCodec } from './sip/open-codec.ts';
import { createEventSender, type EventSender } from './webhooks/event-sender.ts';
import { sendWebhook, webhookUrls, type WebhookDeps } from './webhooks/send-webhook.ts';

export interface GatewayOptions {
  readonly gatewayId: string;
  readonly janus: { readonly url: string; readonly apiSecret: string; readonly adminKey: string };
  readonly kamailio: {
    /** `host:port` of its SIP socket. */
    readonly sip: string;
    readonly rpc: KamailioRpc;
    /** The digest secret of gateways. */
    readonly secret: string;
  };
  /** Calls at the same time, in both directions. */
  readonly maxCalls: number;
  /** All gateways of the deployment, this one included; empty: it is the only one. */
  readonly gateways: readonly RemoteGateway[];
  /** The address of this host that every Janus reaches. */
  readonly localIp: string;
  readonly mediaTimeoutMs: number;
  readonly webhooks: WebhookDeps;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly sleep: (ms: number) => Promise<void>;
  /** Random text, 22 characters or more. */
  readonly secret: () => string;
  readonly random: () => number;
  /** Returns a spoken text. Never rejects. */
  readonly speak: CallDeps['speak'];
  readonly holdMusic: CallDeps['holdMusic'];
  readonly log: {
    warn(fields: Record<string, unknown>, message: string): void;
    info(fields: Record<string, unknown>, message: string): void;
  };
}

/** The telephone side of a gateway: calls between kamailio, Janus and voice-webhooks. */
export interface Gateway {
  /** Live calls. */
  readonly count: number;
  readonly calls: CallRegistry;
  /** The connection to Janus while it is up. */
  readonly link: JanusLink;
  /** Sends the events of calls and browsers. */
  readonly events: EventSender;
  readonly others: OtherGateways;
  /** Whether it takes new conferences. */
  readonly isReady: boolean;
  /** What keeps it from being ready, in one sentence for an operator with the fix. */
  readonly problem: string | undefined;
  /** What this gateway answers others about a conference. */
  stateOf(conference: string): HomeState;
  /** @throws VerdictError `gateway-not-ready` (503) */
  placeCall(request: CreateCallRequest): Call;
  /** Rejects new calls from now on; resolves when no call is live and every event was sent. */
  drain(): Promise<void>;
  /** Ends everything. */
  close(): Promise<void>;
}

const JANUS_TIMEOUT_MS = 5_000;
/** A Janus that stands still is given up within eight seconds, before its own limit of twenty. */
const KEEP_ALIVE = { intervalMs: 4_000, timeoutMs: 4_000 };
/**
 * Lines for calls that were short: each is free only up to a second after its call. One costs 10 kB
 * and 1 ms at the start.
 */
const countLines = (maxCalls: number): number => 2 * maxCalls + 16;
const RPC_TIMEOUT_MS = 2_000;
/** Nothing waits for it, and kamailio stores each deadline: fifty calls that join at once take seconds. */
const DEADLINE_TIMEOUT_MS = 10_000;
/** A kamailio that has lost its registrations gets calls to us again after this time at most. */
const REGISTER_TTL_S = 30;
const REGISTER_TIMEOUT_MS = 10_000;

/** Starts the telephone side. Returns at once; it is ready when its link is up. */
export function startGateway(options: GatewayOptions): Gateway {
  const { gatewayId, clock, log, sleep, webhooks } = options;
  const calls = new CallRegistry();
  let isDraining = false;
  const onError = (error: unknown, callId?: string): void => {
    // The end of the connection to Janus is reported once, by the link.
    if (error instanceof JanusError && (error.kind === 'closed' || error.kind === 'detached')) return;
    log.warn({ err: error, callId }, 'an action of the gateway failed');
  };

  const events = createEventSender({
    send: (account, url, body) => sendWebhook(webhooks, account, url, body),
    sleep,
    onGivenUp: (status) => log.warn({ status }, 'an event was not accepted; the inventory replaces it'),
  });
  const sendEvent = (call: Call, url: string, event: CallWebhook): void =>
    events.send(call.facts.callId, { account: call.facts.account, url, body: event });
  const lost = new LostCalls({
    rpc: options.kamailio.rpc,
    timeoutMs: RPC_TIMEOUT_MS,
    sleep,
    nowMs: () => options.timers.now(),
    onError: (error) => log.warn({ err: error }, 'kamailio did not end the calls of a lost line; it is asked again'),
  });

  let reported: string | undefined;
  /** Logs a problem once, not for each attempt. */
  const reportProblem = (problem: string): void => {
    if (problem !== reported) log.warn({ problem }, 'the gateway is not ready; it tries again');
    reported = problem;
  };
  const link = new JanusLink({
    janus: { ...options.janus, requestTimeoutMs: JANUS_TIMEOUT_MS, keepAlive: KEEP_ALIVE },
    lines: {
      uri: `sip:gw-${gatewayId}@${options.kamailio.sip}`,
      secret: options.kamailio.secret,
      proxy: `sip:${options.kamailio.sip}`,
      count: countLines(options.maxCalls),
      registerTtlSeconds: REGISTER_TTL_S,
      registerTimeoutMs: REGISTER_TIMEOUT_MS,
      sleep,
      onUnregistered: (error) => log.warn({ err: error }, 'the registration at kamailio failed; it is tried again'),
    },
    conferences: {
      adminKey: options.janus.adminKey,
      // The same in a later process, which can then use and end the rooms that a crash has left.
      secretOf: (name) => createHmac('sha256', webhooks.secret).update(`room ${name}`).digest('base64url'),
      onError,
    },
    sleep,
    onIncoming: (handle, invite) => void receiveCall(receiveDeps, handle, invite).catch((error) => onError(error)),
    onChange: (isUp, reason) => {
      reported = undefined;
      if (isUp) log.info({}, 'connected to Janus and registered at kamailio');
      else log.warn({ reason }, 'the connection to Janus is lost');
    },
    onProblem: (problem) => reportProblem(problem),
    onError,
  });
  const current = () => {
    if (link.current === undefined) throw notReady();
    return link.current;
  };

  const isReady = (): boolean => link.current !== undefined && !isDraining;
  const stateOf = (conference: string): HomeState => ({
    isHere: link.current?.conferences.has(conference) ?? false,
    isReady: isReady(),
  });
  const others = openOtherGateways({
    gatewayId,
    gateways: options.gateways,
    secret: webhooks.secret,
    clock,
    timers: options.timers,
    nonce: options.secret,
    stateOf,
    onSilent: (other, err) => log.warn({ err, gateway: other }, 'another gateway did not answer; it is passed over'),
  });

  const opus = new OpusCodecs();
  const callDeps: CallDeps = {
    takePlace: (request, placeEvents) =>
      takePlace({ janus: current, others, timers: options.timers }, request, placeEvents),
    opus,
    openCodec: (name) => openVoiceCodec(name, opus),
    frames: new FrameClock(options.timers, onError),
    clock,
    nowMs: () => options.timers.now(),
    speak: options.speak,
    holdMusic: options.holdMusic,
    pause: (ms, stop) => pause(options.timers, ms, stop),
    requestPlan: (account, url, body) => sendWebhook(webhooks, account, url, body),
    onJoined: (call, eventUrl) =>
      sendEvent(call, eventUrl, { kind: 'moved', callId: call.facts.callId, at: clock.now().toISOString() }),
    onProblem: (call, reason) => log.warn({ callId: call.facts.callId, reason }, 'a call got no usable plan'),
    onError,
    setDeadline: (sipCallId, seconds) => setDeadline(options.kamailio.rpc, DEADLINE_TIMEOUT_MS, sipCallId, seconds),
    endLost: (callId, seenAtMs) => lost.end(callId, seenAtMs),
    random: options.random,
    localIp: options.localIp,
    mediaTimeoutMs: options.mediaTimeoutMs,
  };

  function openCall(facts: Omit<CallFacts, 'callId'>, eventUrl?: string): Call {
    const url = eventUrl ?? webhookUrls(webhooks.baseUrl, facts.account).events;
    const call = new Call(
      { ...facts, callId: `${gatewayId}.${options.secret().slice(0, 22)}` },
      {
        clock,
        onPhase: (changed) => {
          const { callId, phase, at, cause, sipCode } = changed.view();
          sendEvent(changed, url, {
            kind: 'call',
            callId,
            phase,
            at: at!,
            ...(cause === undefined ? {} : { cause }),
            ...(sipCode === undefined ? {} : { sipCode }),
          });
          if (changed.isOver) calls.retire(changed);
        },
      },
    );
    calls.add(call);
    return call;
  }
  const isFull = (): boolean => calls.listLive().length >= options.maxCalls;
  const receiveDeps = {
    ...callDeps,
    openCall,
    requestAnswer: (account: string, body: Parameters<typeof sendWebhook>[3]) =>
      sendWebhook(webhooks, account, webhookUrls(webhooks.baseUrl, account).answer, body),
    isClosed: () => isDraining || isFull(),
  };

  let kamailioProblem: string | undefined;
  const running = (async () => {
    // The calls of an earlier process with this id have no media any more.
    for (;;) {
      try {
        const check = await checkKamailio(options.kamailio.rpc, RPC_TIMEOUT_MS);
        if (!check.isUsable) throw new Error(check.message);
        const ended = await lost.endAll(gatewayId);
        if (ended > 0) log.warn({ ended }, 'calls of an earlier process were ended');
        break;
      } catch (error) {
        if (isDraining) return;
        kamailioProblem = error instanceof Error ? error.message : String(error);
        reportProblem(kamailioProblem);
        await sleep(1_000);
      }
    }
    kamailioProblem = undefined;
    await link.run();
  })();

  return {
    get count() {
      return calls.listLive().length;
    },
    calls,
    link,
    events,
    others,
    get isReady() {
      return isReady();
    },
    get problem() {
      return kamailioProblem ?? link.problem;
    },
    stateOf,
    placeCall(request) {
      if (isDraining || link.current === undefined || isFull()) throw notReady();
      return placeCall(
        {
          ...callDeps,
          openCall,
          openOutbound: () => current().lines.openOutbound(),
          requestAnswerAt: (account, url, body) => sendWebhook(webhooks, account, url, body),
        },
        request,
      );
    },
    async drain() {
      isDraining = true;
      while (calls.listLive().length > 0) await sleep(100);
      await events.drained();
    },
    async close() {
      isDraining = true;
      await link.close();
      await running;
    },
  };
}

const notReady = (): VerdictError =>
  new VerdictError('server', 'gateway-not-ready', 'The gateway is not connected to Janus, is full, or is stopping.', {
    fix: 'Try another gateway, or try again.',
    retryAfterMs: 1_000,
  });

/** Resolves after the time, or when `stop` aborts. */
const pause = (timers: Timers, ms: number, stop: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (stop.aborted) return resolve();
    const finish = (): void => {
      cancel();
      stop.removeEventListener('abort', finish);
      resolve();
    };
    const cancel = timers.setTimer(ms, finish);
    stop.addEventListener('abort', finish, { once: true });
  });
