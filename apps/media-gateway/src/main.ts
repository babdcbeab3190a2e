import 'reflect-metadata';
import { randomInt } from 'node:crypto';
import { readConfig } from '@partyline/runtime/config';
import { openLogger } from '@partyline/runtime/logging';
import { openMetrics } from '@partyline/runtime/metrics';
import { runMain, startService } from '@partyline/runtime/service';
import { systemClock, systemSecret, systemSleep } from '@partyline/runtime/system';
import type { Timers } from './audio/frame-clock.ts';
import type { BrowserControl } from './control/control-deps.ts';
import { createControlModule } from './control/control.module.ts';
import { UsedTokens } from './control/used-tokens.ts';
import { startGateway } from './gateway.ts';
import { isAllowed } from './webhooks/send-webhook.ts';

const timers: Timers = {
  now: () => performance.now(),
  setTimer(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};
const randomUint32 = (): number => randomInt(2 ** 32);

/** No browser can join yet. */
const noBrowsers: BrowserControl = {
  list: () => [],
  disconnect: async () => false,
  mute: async () => false,
};

await runMain(async () => {
  const config = readConfig(process.env, ['service', 'webhooks', 'gateway', 'kamailio']);
  const { gateway: settings, kamailio, webhooks } = config;
  const log = openLogger({ service: 'media-gateway', level: config.service.LOG_LEVEL });
  const metrics = openMetrics();
  const gateway = startGateway({
    gatewayId: settings.GATEWAY_ID,
    janus: { url: settings.JANUS_URL, apiSecret: settings.JANUS_API_SECRET, adminKey: settings.JANUS_ADMIN_KEY },
    kamailio: {
      sip: settings.KAMAILIO_SIP,
      rpc: { url: kamailio.KAMAILIO_RPC_URL, secret: kamailio.KAMAILIO_RPC_SECRET },
      secret: settings.KAMAILIO_GATEWAY_SECRET,
    },
    maxCalls: settings.MAX_CALLS,
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
    speak: async () => new Int16Array(0),
    holdMusic: () => new Int16Array(0),
    log,
  });

  await startService({
    config,
    log,
    metrics,
    module: createControlModule({
      gatewayId: settings.GATEWAY_ID,
      calls: gateway.calls,
      browsers: noBrowsers,
      placeCall: (request) => gateway.placeCall(request),
      isWebhookUrl: (url) => isAllowed(webhooks.PUBLIC_WEBHOOK_URL, url),
      secrets: [settings.GATEWAY_SECRET, ...(settings.GATEWAY_OTHER_SECRET ? [settings.GATEWAY_OTHER_SECRET] : [])],
      usedTokens: new UsedTokens(systemClock),
      clock: systemClock,
      onError: (err, callId) => log.warn({ err, callId }, 'a control request failed'),
    }),
    ready: {
      janus: async () => {
        if (gateway.link.current === undefined) throw new Error('not connected to Janus and kamailio');
      },
    },
    drain: () => gateway.drain(),
    close: () => gateway.close(),
  });
});
