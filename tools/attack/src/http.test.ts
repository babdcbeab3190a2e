import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createHttpClient, rejectionFault } from './http.ts';

let server: Server;
let url: string;
let closesConnections: boolean;
let requests: number;

beforeEach(async () => {
  closesConnections = false;
  requests = 0;
  const requestsOf = new Map<Socket, number>();
  server = createServer((request, reply) => {
    requests += 1;
    const earlier = requestsOf.get(request.socket) ?? 0;
    requestsOf.set(request.socket, earlier + 1);
    // A second request on a connection meets a server that has just closed it as idle.
    if (closesConnections || earlier > 0) request.socket.destroy();
    else reply.end('ok');
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});

afterEach(() => void server.close());

it('repeats a request whose reused connection the server had closed', async () => {
  const client = createHttpClient();
  expect(await client.send({ method: 'GET', url })).toEqual({ status: 200, body: 'ok' });
  expect(await client.send({ method: 'GET', url })).toEqual({ status: 200, body: 'ok' });
  expect(requests).toBe(3);
  client.close();
});

it('does not take a new connection that the server closes for a rejection', async () => {
  closesConnections = true;
  const client = createHttpClient();
  const reply = await client.send({ method: 'GET', url });
  expect(reply).toEqual({ status: 0, body: '' });
  expect(rejectionFault(reply)).toBe('answered 0');
  expect(requests).toBe(1);
  client.close();
});
