import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Metrics } from './metrics.ts';
import { NotReadyError } from './not-ready-error.ts';

interface ManagementOptions {
  readonly host: string;
  /** 0: a free port. */
  readonly port: number;
  /** The longest time for receiving a request. */
  readonly requestTimeoutMs: number;
  readonly metrics: Metrics;
  /** Readiness checks by name. Each throws when its dependency does not answer. */
  readonly ready: Readonly<Record<string, () => Promise<unknown>>>;
  /** Liveness check. Throws when the service must be restarted. */
  readonly live: () => void;
  readonly isStopping: () => boolean;
}

interface ManagementServer {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Serves `/healthz`, `/readyz` and `/metrics` on a port of their own, so that no rule of a proxy is
 * needed to keep them from tenants and the provider.
 */
export async function startManagementServer(options: ManagementOptions): Promise<ManagementServer> {
  const { host, port, requestTimeoutMs } = options;
  const server = createServer(
    {
      requestTimeout: requestTimeoutMs,
      headersTimeout: requestTimeoutMs,
      connectionsCheckingInterval: checkIntervalOf(requestTimeoutMs),
    },
    (request, reply) => {
      void answer(options, request, reply).catch((error: unknown) => {
        send(reply, 500, 'text/plain', error instanceof Error ? error.name : 'error');
      });
    },
  );
  server.listen(port, host);
  await once(server, 'listening');
  const { port: boundPort } = server.address() as AddressInfo;
  const shownHost = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  return {
    url: `http://${shownHost.includes(':') ? `[${shownHost}]` : shownHost}:${boundPort}`,
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** How often Node looks for requests above a time limit: its default of 30 s would double it. */
export const checkIntervalOf = (timeoutMs: number): number => Math.min(1_000, Math.ceil(timeoutMs / 4));

async function answer(
  { metrics, ready, live, isStopping }: ManagementOptions,
  request: IncomingMessage,
  reply: ServerResponse,
): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD') return send(reply, 405, 'text/plain', 'Use GET.');
  switch (request.url?.split('?')[0]) {
    case '/healthz':
      return sendHealth(reply, live);
    case '/readyz': {
      const { states, problems } = await checkAll(ready);
      const stopping = isStopping();
      const isReady = !stopping && Object.values(states).every((state) => state === 'up');
      return sendJson(reply, isReady ? 200 : 503, {
        ready: isReady,
        stopping,
        ...states,
        ...(problems.length > 0 && { problems }),
      });
    }
    case '/metrics':
      return send(reply, 200, metrics.registry.contentType, await metrics.registry.metrics());
    default:
      return send(reply, 404, 'text/plain', 'The management port serves /healthz, /readyz and /metrics.');
  }
}

function sendHealth(reply: ServerResponse, live: () => void): void {
  try {
    live();
  } catch (error) {
    return sendJson(reply, 500, { ok: false, error: error instanceof Error ? error.message : String(error) });
  }
  return sendJson(reply, 200, { ok: true });
}

/** `problems` are the messages of the checks that threw a NotReadyError. */
async function checkAll(
  checks: ManagementOptions['ready'],
): Promise<{ states: Record<string, 'up' | 'down'>; problems: readonly string[] }> {
  const problems: string[] = [];
  const states = await Promise.all(
    Object.entries(checks).map(async ([what, check]): Promise<[string, 'up' | 'down']> => {
      try {
        await check();
        return [what, 'up'];
      } catch (error) {
        if (error instanceof NotReadyError) problems.push(error.message);
        return [what, 'down'];
      }
    }),
  );
  return { states: Object.fromEntries(states), problems };
}

const sendJson = (reply: ServerResponse, status: number, body: object): void =>
  send(reply, status, 'application/json; charset=utf-8', JSON.stringify(body));

function send(reply: ServerResponse, status: number, type: string, body: string): void {
  reply.writeHead(status, { 'content-type': type, 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
  reply.end(body);
}
