import 'reflect-metadata';
import { randomInt } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { readConfig } from '@partyline/runtime/config';
import { openLogger } from '@partyline/runtime/logging';
import { openMetrics } from '@partyline/runtime/metrics';
import { runMain, startService } from '@partyline/runtime/service';
import { systemClock, systemSecret, systemSleep } from '@partyline/runtime/system';
import type { Timers } from './audio/frame-clock.ts';
import { createBrowsers } from './browsers/browsers.ts';
import { createControlModule } from './control/control.module.ts';
import { UsedTokens } from './control/used-tokens.ts';
import { createControlVerifier } from './control/verify-control.ts';
import { drainAll } from './drain-all.ts';
import { startGateway } from './gateway.ts';
import { createMembers } from './gateways/members.ts';
import { attachSockets } from './sockets/attach-sockets.ts';
import { createHoldMusic } from './speech/hold-music.ts';
import { runSpeechProgram } from './speech/run-speech-program.ts';
import { createSpeaker } from './speech/speak.ts';
import { chooseSpeechPrograms } from './speech/speech-programs.ts';
import { isAllowed, webhookUrls } from './webhooks/send-webhook.ts';

const timers: Timers = {
  now: () => performance.now(),
  setTimer(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};
/** The events of the last connections are sent within this time, or lists replace them. */
const LAST_EVENTS_MS = 1_500;
/** A prompt takes a program less than a second. */
const SPEECH_TIMEOUT_MS = 10_000;

const randomUint32 = (): number => randomInt(2 ** 32);

const definedVariables = (variables: Record<string, string | undefined>): Record<string, string> =>
  Object.fromEntries(Object.entries(variables).flatMap(([name, value]) => (value ? [[name, value]] : [])));

await runMain(async () => {
  const config = readConfig(process.env, ['service', 'webhooks', 'gateway', 'kamailio']);
  const { gateway: settings, kamailio, webhooks } = config;
  const log = openLogger({ service: 'media-gateway', level: config.service.LOG_LEVEL });
  const metrics = openMetrics();
  const speechEnv = definedVariables({
    LD_LIBRARY_PATH: settings.SPEECH_LIBRARY_PATH,
    ESPEAK_DATA_PATH: settings.ESPEAK_DATA_PATH,
  });
  const installed = {
    command: settings.TTS_COMMAND,
    flite: { path: settings.FLITE_BIN, env: speechEnv },
    espeak: { path: settings.ESPEAK_BIN, env: speechEnv },
  };
  const speaker = createSpeaker({
    programsFor: (language) => chooseSpeechPrograms(installed, language),
    run: (program, text) =>
      runSpeechProgram(program, text, {
        setTimer: (ms, callback) => timers.setTimer(ms, callback),
        timeoutMs: SPEECH_TIMEOUT_MS,
      }),
    cacheFolder: settings.SPEECH_CACHE,
    now: () => timers.now(),
    yieldToCalls: () => setImmediate(),
    onFailure: (err) => log.warn({ err }, 'a text could not be spoken by a program'),
  });
  const gateway = startGateway({
    gatewayId: settings.GATEWAY_ID,
    janus: { url: settings.JANUS_URL, apiSecret: settings.JANUS_API_SECRET, adminKey: settings.JANUS_ADMIN_KEY },
    kamailio: {
      sip: settings.KAMAILIO_SIP,
      rpc: { url: kamailio.KAMAILIO_RPC_URL, secret: kamailio.KAMAILIO_RPC_SECRET },
      secret: settings.KAMAILIO_GATEWAY_SECRET,
    },
    maxCalls: settings.MAX_CALLS,
    gateways: settings.MEDIA_GATEWAYS,
    localIp: settings.MEDIA_IP,
    mediaTimeoutMs: settings.MEDIA_TIMEOUT_SECONDS * 1_000,
    webhooks: {
      baseUrl: webhooks.PUBLIC_WEBHOOK_URL,
      secret: settings.GATEWAY_SECRET,
      clock: systemClock,
      nonce: systemSecret,
    },
    clock: systemClock,
    timers,
    sleep: systemSleep,
    secret: systemSecret,
    random: randomUint32,
    speak: (text, language, sampleRate) => speaker.speak(text, language, sampleRate),
    holdMusic: createHoldMusic(),
    log,
  });

  const secrets = [settings.GATEWAY_SECRET, ...(settings.GATEWAY_OTHER_SECRET ? [settings.GATEWAY_OTHER_SECRET] : [])];
  const verify = createControlVerifier({
    gatewayId: settings.GATEWAY_ID,
    secrets,
    usedTokens: new UsedTokens(systemClock),
    clock: systemClock,
  });
  const members = createMembers({
    janus: () => gateway.link.current,
    isReady: () => gateway.isReady,
    verify,
    timers,
    sleep: systemSleep,
    onError: (err, callId) => log.warn({ err, callId }, "an action for another gateway's call failed"),
  });
  const browsers = createBrowsers({
    gatewayId: settings.GATEWAY_ID,
    janus: () => gateway.link.current,
    others: gateway.others,
    verify,
    secrets,
    events: gateway.events,
    eventUrl: (account) => webhookUrls(webhooks.PUBLIC_WEBHOOK_URL, account).videoEvents,
    ice: { stunUrls: settings.STUN_URLS, turnUrls: settings.TURN_URLS, turnSecret: settings.TURN_SECRET },
    maxBrowsers: settings.MAX_BROWSERS,
    clock: systemClock,
    timers,
    sleep: systemSleep,
    secret: systemSecret,
    onError: (err, connectionId) => log.warn({ err, connectionId }, 'an action for a browser failed'),
  });

  await startService({
    config,
    log,
    metrics,
    module: createControlModule({
      calls: gateway.calls,
      browsers,
      placeCall: (request) => gateway.placeCall(request),
      stateOf: (conference) => gateway.stateOf(conference),
      isWebhookUrl: (url) => isAllowed(webhooks.PUBLIC_WEBHOOK_URL, url),
      verify,
      onError: (err, callId) => log.warn({ err, callId }, 'a control request failed'),
    }),
    ready: {
      janus: async () => {
        if (gateway.link.current === undefined)
          throw new Error(gateway.link.problem ?? 'The gateway has not yet connected to Janus and kamailio.');
      },
    },
    prepare: (app) => attachSockets(app.getHttpServer(), [browsers, members]),
    // Conferences go on until their members leave, or the time is over.
    drain: async () => {
      await drainAll([gateway, browsers, members]);
      await gateway.events.drained();
    },
    close: async () => {
      members.close();
      await browsers.close();
      await Promise.race([gateway.events.drained(), systemSleep(LAST_EVENTS_MS)]);
      await gateway.close();
    },
  });
});
