import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** `ProviderFault` of the provider contracts. `silence`: the request is received and never answered. */
export type HttpFault = keyof typeof STATUS | 'silence' | 'reset' | 'not-json';

const STATUS = { 'bad-credentials': 401, 'rate-limit': 429, failing: 500, unavailable: 503 } as const;

/** One request with its body, and where it goes. */
export interface ProxiedRequest {
  readonly method: string;
  readonly path: string;
  readonly body: string;
}

export interface HttpProxy {
  readonly url: string;
  stop(): Promise<void>;
}

/**
 * Starts a proxy on loopback in front of one server.
 * @param options.pathOf returns the path at the server; that of the request by default
 * @param options.faultOf returns a fault that the request has, instead of an answer of the server
 * @param options.onReply called with each reply of the server
 */
export async function startHttpProxy(
  target: string,
  options: {
    pathOf?: (request: ProxiedRequest) => string;
    faultOf?: (request: ProxiedRequest) => HttpFault | undefined;
    onReply?: (request: ProxiedRequest, body: string) => void;
  },
): Promise<HttpProxy> {
  const forward = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = 'GET', url: path = '/', headers } = incoming;
    const request = { method, path, body: await text(incoming) };
    const fault = options.faultOf?.(request);
    if (fault !== undefined) return fail(response, fault);
    const reply = await fetch(`${target}${options.pathOf?.(request) ?? path}`, {
      method,
      headers: Object.fromEntries(
        ['authorization', 'content-type'].flatMap((name) => {
          const value = headers[name];
          return typeof value === 'string' ? [[name, value]] : [];
        }),
      ),
      ...(request.body === '' ? {} : { body: request.body }),
    });
    const body = await reply.text();
    options.onReply?.(request, body);
    response.writeHead(reply.status, { 'content-type': reply.headers.get('content-type') ?? 'text/plain' }).end(body);
  };
  const server = createServer((request, response) => {
    forward(request, response).catch(() => response.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async stop() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

function fail(response: ServerResponse, fault: HttpFault): void {
  if (fault === 'reset') response.destroy();
  else if (fault === 'not-json') response.writeHead(200, { 'content-type': 'text/html' }).end('<html>');
  // A silent reply stays open until `stop`.
  else if (fault !== 'silence') response.writeHead(STATUS[fault]).end();
}
