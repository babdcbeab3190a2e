import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Callback } from '../callback.ts';

/**
 * One received webhook. `body` is the parsed JSON, or `undefined` when the raw body is not JSON.
 */
export interface ReceivedWebhook extends Callback {
  readonly path: string;
  readonly body: unknown;
}

/**
 * A test server that receives the webhooks of a provider (or its emulator) in place of
 * voice-webhooks.
 */
export interface WebhookReceiver {
  /** e.g. http://127.0.0.1:40123 */
  readonly url: string;
  readonly received: readonly ReceivedWebhook[];
  /**
   * Sets the reply to a path from now on: the body, or a promise of it. `undefined` gives 200 without
   * a body, a `WebhookFault` fails.
   */
  setReply(path: string, body: (webhook: ReceivedWebhook) => unknown): void;
  /**
   * Returns the first matching webhook that no earlier call returned; waits for it if necessary.
   */
  waitFor(path: string, matches?: (webhook: ReceivedWebhook) => boolean): Promise<ReceivedWebhook>;
  stop(): Promise<void>;
}

/** A reply that fails. `silence`: the webhook is received and never answered. */
export class WebhookFault {
  readonly kind: 'unavailable' | 'failing' | 'silence' | 'not-json' | 'reset';

  constructor(kind: WebhookFault['kind']) {
    this.kind = kind;
  }
}

interface Waiting {
  readonly wants: (webhook: ReceivedWebhook) => boolean;
  readonly resolve: (webhook: ReceivedWebhook) => void;
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function parseJson(rawBody: Buffer): unknown {
  try {
    return JSON.parse(rawBody.toString('utf8')) as unknown;
  } catch {
    return undefined;
  }
}

function fail(response: ServerResponse, { kind }: WebhookFault): void {
  if (kind === 'reset') response.destroy();
  else if (kind === 'not-json') response.writeHead(200, { 'content-type': 'application/json' }).end('<html>');
  // A silent reply stays open until `stop`.
  else if (kind !== 'silence') response.writeHead(kind === 'failing' ? 500 : 503).end();
}

/** Starts a receiver on a free loopback port. The test's own time limit bounds every wait. */
export async function startWebhookReceiver(): Promise<WebhookReceiver> {
  const received: ReceivedWebhook[] = [];
  const unclaimed: ReceivedWebhook[] = [];
  const waiting: Waiting[] = [];
  const replies = new Map<string, (webhook: ReceivedWebhook) => unknown>();

  const record = (webhook: ReceivedWebhook): void => {
    received.push(webhook);
    const index = waiting.findIndex((one) => one.wants(webhook));
    if (index === -1) unclaimed.push(webhook);
    else waiting.splice(index, 1)[0]?.resolve(webhook);
  };

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const rawBody = await readBody(request);
    const path = new URL(request.url ?? '/', 'http://receiver').pathname;
    const webhook: ReceivedWebhook = {
      path,
      authorization: request.headers.authorization,
      rawBody,
      body: parseJson(rawBody),
    };
    const body = await replies.get(path)?.(webhook);
    if (body instanceof WebhookFault) fail(response, body);
    else {
      response.writeHead(200, body === undefined ? {} : { 'content-type': 'application/json' });
      response.end(body === undefined ? '' : JSON.stringify(body));
    }
    record(webhook);
  };

  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    setReply: (path, body) => void replies.set(path, body),
    waitFor(path, matches = () => true) {
      const wants = (webhook: ReceivedWebhook): boolean => webhook.path === path && matches(webhook);
      const index = unclaimed.findIndex(wants);
      const found = index === -1 ? undefined : unclaimed.splice(index, 1)[0];
      return found === undefined
        ? new Promise((resolve) => void waiting.push({ wants, resolve }))
        : Promise.resolve(found);
    },
    async stop() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
