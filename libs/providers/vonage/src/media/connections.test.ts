import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { jsonReply, startStubProvider, type StubProvider } from '../testing/stub-provider.ts';
import { listConnections, type VideoRest } from './connections.ts';

let stub: StubProvider;
beforeAll(async () => {
  stub = await startStubProvider();
});
afterAll(() => stub.stop());

const restAt = (host: string): VideoRest => ({
  host,
  project: 'p',
  timeoutMs: 5_000,
  createAuthHeaders: () => ({}),
});
const caught = (error: unknown): unknown => error;

/** Lists the connections of a reply in the format of the provider's SDK fixtures. */
async function list(items: object[], count: unknown = items.length): Promise<unknown> {
  stub.setReply(jsonReply({ count, projectId: 'p', sessionId: 's', items }));
  return listConnections(restAt(stub.url), 's').catch(caught);
}

describe('listConnections', () => {
  it('returns the connections that are Connected or Connecting', async () => {
    expect(
      await list([
        { connectionId: 'a', connectionState: 'Connected', createdAt: 1_745_428_000_000 },
        { connectionId: 'b', connectionState: 'Disconnected', createdAt: 1_745_428_000_000 },
        { connectionId: 'c', connectionState: 'Connecting', createdAt: 1_745_428_000_001 },
        { connectionId: 'd' },
        { connectionId: 'e', createdAt: 'soon' },
      ]),
    ).toEqual([
      { connectionId: 'a', createdAt: new Date(1_745_428_000_000) },
      { connectionId: 'c', createdAt: new Date(1_745_428_000_001) },
      { connectionId: 'd', createdAt: null },
      { connectionId: 'e', createdAt: null },
    ]);
  });

  it.each(['Reconnecting', 'constructor', '', null, 1])(
    'fails as unknown for the state %j, which tells neither live nor gone',
    async (connectionState) => {
      expect(await list([{ connectionId: 'a', connectionState }])).toMatchObject({ failure: 'unknown' });
    },
  );

  it('accepts a count that is a text', async () => {
    expect(await list([{ connectionId: 'a' }], '1')).toEqual([{ connectionId: 'a', createdAt: null }]);
    expect(await list([{ connectionId: 'a' }], 'one')).toMatchObject({ failure: 'unknown' });
  });

  it('fails as unknown when there are fewer connections than the count', async () => {
    expect(await list([], 1)).toMatchObject({ failure: 'unknown' });
  });

  it('reads on while a page is full, whatever the count says', async () => {
    const all = Array.from({ length: 1_001 }, (_, index) => ({ connectionId: `c-${index}` }));
    const server = createServer((request, response) => {
      const query = new URL(request.url ?? '', 'http://stub').searchParams;
      const offset = Number(query.get('offset'));
      const items = all.slice(offset, offset + Number(query.get('count')));
      response.setHeader('content-type', 'application/json').end(JSON.stringify({ count: items.length, items }));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    expect(await listConnections(restAt(`http://127.0.0.1:${port}`), 's')).toHaveLength(1_001);
    server.close();
    server.closeAllConnections();
  });
});
