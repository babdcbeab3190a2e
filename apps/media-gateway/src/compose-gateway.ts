import type { DynamicModule } from '@nestjs/common';
import type { IceSettings } from './browsers/ice-servers.ts';
import { createBrowsers, type Browsers } from './browsers/browsers.ts';
import { createControlModule } from './control/control.module.ts';
import { UsedTokens } from './control/used-tokens.ts';
import { createControlVerifier } from './control/verify-control.ts';
import { startGateway, type Gateway, type GatewayOptions } from './gateway.ts';
import { createMembers, type Members } from './gateways/members.ts';
import { isAllowed, webhookUrls } from './webhooks/send-webhook.ts';

export interface ComposeOptions extends GatewayOptions {
  /** During a rotation: the other secret, which is accepted too. */
  readonly otherSecret?: string | undefined;
  readonly ice: IceSettings;
  /** Connections of browsers at the same time. */
  readonly maxBrowsers: number;
}

/** A gateway with everything that is served by it. */
export interface ComposedGateway {
  readonly gateway: Gateway;
  readonly browsers: Browsers;
  readonly members: Members;
  /** Its control requests. */
  readonly module: DynamicModule;
}

/** Starts a gateway, and puts browsers, the calls of other gateways and control requests on it. */
export function composeGateway({ otherSecret, ice, maxBrowsers, ...options }: ComposeOptions): ComposedGateway {
  const { gatewayId, clock, timers, sleep, secret, log, webhooks } = options;
  const gateway = startGateway(options);
  const janus = () => gateway.link.current;
  const secrets = [webhooks.secret, ...(otherSecret ? [otherSecret] : [])];
  const verify = createControlVerifier({ gatewayId, secrets, usedTokens: new UsedTokens(clock), clock });
  const members = createMembers({
    janus,
    isReady: () => gateway.isReady,
    verify,
    timers,
    sleep,
    onError: (err, callId) => log.warn({ err, callId }, "an action for another gateway's call failed"),
  });
  const browsers = createBrowsers({
    gatewayId,
    janus,
    others: gateway.others,
    verify,
    secrets,
    events: gateway.events,
    eventUrl: (account) => webhookUrls(webhooks.baseUrl, account).videoEvents,
    ice,
    maxBrowsers,
    clock,
    timers,
    sleep,
    secret,
    onError: (err, connectionId) => log.warn({ err, connectionId }, 'an action for a browser failed'),
  });
  const module = createControlModule({
    calls: gateway.calls,
    browsers,
    placeCall: (request) => gateway.placeCall(request),
    stateOf: (conference) => gateway.stateOf(conference),
    isWebhookUrl: (url) => isAllowed(webhooks.baseUrl, url),
    verify,
    onError: (err, callId) => log.warn({ err, callId }, 'a control request failed'),
  });
  return { gateway, browsers, members, module };
}
