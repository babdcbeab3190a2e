import 'reflect-metadata';
import { randomInt } from 'node:crypto';
import { ConfigError, readConfig } from '@partyline/runtime/config';
import { openLogger } from '@partyline/runtime/logging';
import { openMetrics } from '@partyline/runtime/metrics';
import { NotReadyError } from '@partyline/runtime/not-ready-error';
import { runMain, startService } from '@partyline/runtime/service';
import { systemClock, systemSecret, systemSleep, systemTimers, systemYield } from '@partyline/runtime/system';
import { findOperatorErrors } from './check-servers.ts';
import { composeGateway } from './compose-gateway.ts';
import { drainAll } from './drain-all.ts';
import { attachSockets } from './sockets/attach-sockets.ts';
import { createHoldMusic } from './speech/hold-music.ts';
import { loadOperatorMusic } from './speech/operator-music.ts';
import { openSpeaker } from './speech/open-speaker.ts';

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
  const { gateway, browsers, members, module } = composeGateway({
    gatewayId: settings.GATEWAY_ID,
    janus,
    kamailio: { sip: settings.KAMAILIO_SIP, rpc, secret: settings.KAMAILIO_GATEWAY_SECRET },
    maxCalls: settings.MAX_CALLS,
    gateways: settings.MEDIA_GATEWAYS,
    otherSecret: settings.GATEWAY_OTHER_SECRET,
    ice: { stunUrls: settings.STUN_URLS, turnUrls: settings.TURN_URLS, turnSecret: settings.TURN_SECRET },
    maxBrowsers: settings.MAX_BROWSERS,
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

  await startService({
    config,
    log,
    metrics,
    module,
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
