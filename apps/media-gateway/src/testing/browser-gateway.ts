import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { randomBytes } from 'node:crypto';
import { connectJanus, type JanusConnection } from '@partyline/janus/connection';
import { issueBrowserToken } from '@partyline/provider-janus/media/browser-token';
import { connectionWebhook, type ConnectionWebhook } from '@partyline/provider-janus/wire';
import { startWebhookReceiver, type WebhookReceiver } from '@partyline/provider-contract/testing/webhook-receiver';
import type { TestJanus } from '@partyline/testing/janus';
import type { Timers } from '../audio/frame-clock.ts';
import { createBrowsers, SOCKET_PATH, type Browsers, type BrowsersDeps } from '../browsers/browsers.ts';
import { Conferences } from '../conferences/conferences.ts';
import { UsedTokens } from '../control/used-tokens.ts';
import { createControlVerifier } from '../control/verify-control.ts';
import { openOtherGateways } from '../gateways/other-gateways.ts';
import { attachSockets } from '../sockets/attach-sockets.ts';
import { createEventSender } from '../webhooks/event-sender.ts';
import { sendWebhook, webhookUrls } from '../webhooks/send-webhook.ts';
import type { ServedFile } from './room-page.ts';

export const GATEWAY_SECRET = 'the-secret-of-the-test-gateways-0123';
const LIMIT_MS = 20_000;

/** The browser half of a gateway, with its own server, for tests. */
export interface BrowserGateway {
  readonly browsers: Browsers;
  /** `ws://` address for browsers. */
  readonly url: string;
  /** `http://` address of the server. */
  readonly origin: string;
  readonly connection: JanusConnection;
  readonly conferences: Conferences;
  /** Errors that a gateway would log. */
  readonly errors: unknown[];
  token(conference: string, claims?: { data?: string; expiresAt?: Date; startsConference?: boolean }): string;
  /** The webhooks about connections so far, in the order of their arrival. */
  webhooks(): ConnectionWebhook[];
  stop(): Promise<void>;
}

export interface BrowserGatewayOptions extends Partial<Pick<BrowsersDeps, 'maxBrowsers' | 'ice' | 'clock'>> {
  /** How fast time passes until a limit. */
  readonly speed?: number;
  /** How fast time passes for the rate limit. */
  readonly rateSpeed?: number;
  /** Files that its server also serves, by path. */
  readonly files?: ReadonlyMap<string, ServedFile>;
}

function fasterTimers(speed: number, rateSpeed: number): Timers {
  return {
    now: () => performance.now() * rateSpeed,
    setTimer(ms, callback) {
      const timer = setTimeout(callback, ms / speed);
      return () => clearTimeout(timer);
    },
  };
}

export async function startBrowserGateway(
  janus: Pick<TestJanus, 'url' | 'apiSecret' | 'adminKey'>,
  { speed = 1, rateSpeed = 1, ...options }: BrowserGatewayOptions = {},
): Promise<BrowserGateway> {
  const errors: unknown[] = [];
  const clock = options.clock ?? { now: () => new Date() };
  const secret = (): string => randomBytes(32).toString('base64url');
  const receiver: WebhookReceiver = await startWebhookReceiver();
  const connection = await connectJanus({
    url: janus.url,
    apiSecret: janus.apiSecret,
    requestTimeoutMs: LIMIT_MS,
    keepAlive: { intervalMs: 2_000, timeoutMs: LIMIT_MS },
    onListenerError: (error) => void errors.push(error),
  });
  const conferences = new Conferences(connection, {
    adminKey: janus.adminKey,
    secretOf: (conference) => `secret-of-${conference}`,
    onError: (error) => void errors.push(error),
  });
  const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms / speed));
  const events = createEventSender({
    send: (account, url, body) =>
      sendWebhook(
        { baseUrl: receiver.url, secret: GATEWAY_SECRET, clock: { now: () => new Date() }, nonce: secret },
        account,
        url,
        body,
      ),
    sleep,
    onGivenUp: (status) => void errors.push(new Error(`webhook given up: ${status}`)),
  });
  let isUp = true;
  void connection.closed.then(() => (isUp = false));
  const others = openOtherGateways({
    gatewayId: 'gw-1',
    gateways: [],
    secret: GATEWAY_SECRET,
    clock,
    timers: fasterTimers(speed, rateSpeed),
    nonce: secret,
    stateOf: (conference) => ({ isHere: conferences.has(conference), isReady: true }),
    onSilent: (_, error) => void errors.push(error),
  });
  const browsers = createBrowsers({
    gatewayId: 'gw-1',
    janus: () => (isUp ? { connection, conferences } : undefined),
    others,
    verify: createControlVerifier({
      gatewayId: 'gw-1',
      secrets: [GATEWAY_SECRET],
      usedTokens: new UsedTokens(clock),
      clock,
    }),
    secrets: [GATEWAY_SECRET],
    events,
    eventUrl: (account) => webhookUrls(receiver.url, account).videoEvents,
    ice: options.ice ?? { stunUrls: [], turnUrls: [], turnSecret: undefined },
    maxBrowsers: options.maxBrowsers ?? 50,
    clock,
    timers: fasterTimers(speed, rateSpeed),
    sleep,
    secret,
    onError: (error) => void errors.push(error),
  });
  const server = createServer(({ url }, response) => {
    const file = options.files?.get(url ?? '');
    if (file === undefined) response.writeHead(404).end();
    else response.setHeader('content-type', file.type).end(file.body);
  });
  attachSockets(server, [browsers]);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    browsers,
    url: `ws://127.0.0.1:${port}${SOCKET_PATH}`,
    origin: `http://127.0.0.1:${port}`,
    connection,
    conferences,
    errors,
    token: (conference, claims = {}) =>
      issueBrowserToken(
        { account: 'platform', secret: GATEWAY_SECRET },
        {
          mediaSessionId: conference,
          data: claims.data ?? 'data',
          expiresAt: claims.expiresAt ?? new Date(Date.now() + 3_600_000),
          ...(claims.startsConference === undefined ? {} : { startsConference: claims.startsConference }),
        },
        new Date(),
      ),
    webhooks: () => receiver.received.map(({ body }) => connectionWebhook.parse(body)),
    async stop() {
      await browsers.close();
      await events.drained();
      server.close();
      server.closeAllConnections();
      await connection.close();
      await receiver.stop();
    },
  };
}
