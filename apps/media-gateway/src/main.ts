import 'reflect-metadata';
import { randomInt } from 'node:crypto';
import { ConfigError, readConfig } from '@partyline/runtime/config';
import { openLogger } from '@partyline/runtime/logging';
import { openMetrics } from '@partyline/runtime/metrics';
import { NotReadyError } from '@partyline/runtime/not-ready-error';
import { runMain, startService } from '@partyline/runtime/service';
import { systemClock, systemSecret, systemSleep, systemTimers, systemYield } from '@partyline/runtime/system';
import { createBrowsers } from './browsers/browsers.ts';
import { findOperatorErrors } from './check-servers.ts';
import { createControlModule } from './control/control.module.ts';
import { UsedTokens } from './control/used-tokens.ts';
import { createControlVerifier } from './control/verify-control.ts';
import { drainAll } from './drain-all.ts';
import { startGateway } from './gateway.ts';
import { createMembers } from './gateways/members.ts';
import { attachSockets } from './sockets/attach-sockets.ts';
import { createHoldMusic } from './speech/hold-music.ts';
import { loadOperatorMusic } from './speech/operator-music.ts';
import { openSpeaker } from './speech/open-speaker.ts';
import { isAllowed, webhookUrls } from './webhooks/send-webhook.ts';

/** The gateway starts without the music after this time. */
const MUSIC_TIMEOUT_MS = 10_000;
/** The events of the last connections are sent within this time, or lists replace them. */
const LAST_EVENTS_MS = 1_500;

const randomUint32 = (): number => randomInt(2 ** 32);

await runMain(async () => {
  const config = readConfig(process.env, ['service', 'webhooks', 'gateway', 'speech', 'kamailio']);
  const { gateway: settings, kamailio, webhooks } = config;
  const janus = { url: settings.JANUS_URL, apiSecret: settings.JANUS_API_SECRET, adminKey: settings.JANUS_ADMIN_KEY };
  const rpc = { url: kamailio.KAMAILIO_RPC_URL, secret: kamailio.KAMAILIO_RPC_SECRET };
  const problems = await findOperatorErrors({ janus, kamailio: { rpc } });
  if (problems.length > 0) throw new ConfigError(problems);
  const log = openLogger({ service: 'media-gateway', level: config.service.LOG_LEVEL });
  const metrics = openMetrics();
  const speaker = openSpeaker(config.speech, {
    timers: systemTimers,
    yieldToCalls: systemYield,
    onFailure: (err) => log.warn({ err }, 'a text could not be spoken by a program'),
  });
  const ownMusic = createHoldMusic();
  const operatorMusic =
    config.speech.HOLD_MUSIC_URL === undefined
      ? undefined
      : await loadOperatorMusic(config.speech.HOLD_MUSIC_URL, {
          cacheFolder: config.speech.SPEECH_CACHE,
          timeoutMs: MUSIC_TIMEOUT_MS,
          yieldToCalls: systemYield,
          onFailure: (err) =>
            log.warn({ err }, 'HOLD_MUSIC_URL cannot be used; callers hear the music of an earlier start, or our own'),
        });
  const gateway = startGateway({
    gatewayId: settings.GATEWAY_ID,
    janus,
    kamailio: { sip: settings.KAMAILIO_SIP, rpc, secret: settings.KAMAILIO_GATEWAY_SECRET },
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
    timers: systemTimers,
    sleep: systemSleep,
    secret: systemSecret,
    random: randomUint32,
    speak: (text, language, sampleRate) => speaker.speak(text, language, sampleRate),
    holdMusic: (sampleRate) => operatorMusic?.get(sampleRate) ?? ownMusic(sampleRate),
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
    timers: systemTimers,
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
    timers: systemTimers,
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
          throw new NotReadyError(gateway.problem ?? 'The gateway has not yet connected to Janus and kamailio.');
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
