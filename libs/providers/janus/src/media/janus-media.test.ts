import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { providerDeps } from '@partyline/provider-contract/testing/provider-deps';
import { afterEach, expect, it } from 'vitest';
import { janusAccountSchema } from '../account.ts';
import { janusMedia } from './janus-media.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function serveGateway(connectionId: string): Promise<string> {
  const connections = [{ connectionId, createdAt: '2026-11-30T12:00:00.000Z', data: '{}' }];
  const server = createServer((_request, response) => response.writeHead(200).end(JSON.stringify({ connections })));
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const openMedia = (urls: readonly string[]) =>
  janusMedia.create(
    janusAccountSchema.parse({
      account: 'platform',
      gateways: urls.map((url, index) => ({ id: `gw-${index}`, url })),
      secret: 'a-secret-of-thirty-two-characters',
      kamailio: { url: 'http://127.0.0.1:1', secret: 'rpc-secret' },
      socketUrl: 'ws://127.0.0.1:1',
    }),
    providerDeps(10_000),
  );

const FIRST = 'gw-0.abcdefghijklmnopqrstuv';
const SECOND = 'gw-1.abcdefghijklmnopqrstuv';

it('lists the connections of every gateway', async () => {
  const media = openMedia([await serveGateway(FIRST), await serveGateway(SECOND)]);
  expect(await media.listConnections('conv_1')).toMatchObject([{ connectionId: FIRST }, { connectionId: SECOND }]);
});

it('lists connections without a gateway whose process does not run', async () => {
  const gone = await serveGateway(SECOND);
  servers.at(-1)?.close();
  const media = openMedia([await serveGateway(FIRST), gone]);
  expect(await media.listConnections('conv_1')).toMatchObject([{ connectionId: FIRST }]);
});

it('lists no connections when a gateway cannot be reached, which may have some', async () => {
  const media = openMedia([await serveGateway(FIRST), 'http://gateway.invalid']);
  await expect(media.listConnections('conv_1')).rejects.toMatchObject({ failure: 'busy' });
});
