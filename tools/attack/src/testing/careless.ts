import { appendFileSync, mkdtempSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openApi } from '@partyline/contracts/openapi';
import { createCredentials, createVendor } from '@partyline/dev/stack/credentials';
import { openStore, type Store } from '@partyline/store/database/store';
import { makeLeg, makeNumbers, makeRoom } from '@partyline/store/testing/fixtures';
import { createTestDatabase } from '@partyline/testing/postgres';
import { openCarrier } from '../carrier.ts';
import { openHttp } from '../http.ts';
import { newKey, type Party, type Target } from '../target.ts';

/** How a service that has no defences answers a request: by default yes, to everybody, with everything. */
export type Manners = (
  path: string,
  body: string,
  owner: Store,
) => Promise<{ status: number; body: unknown }> | { status: number; body: unknown };

/** A target without any defence, over a real database with two tenants' rows: what a group must find fault with. */
export async function startCareless(): Promise<{
  target: Target;
  behave(manners: Manners): void;
  stop(): Promise<void>;
}> {
  const database = await createTestDatabase();
  const owner = openStore({ owner: true, url: database.url, max: 4, onError: () => undefined });
  await makeNumbers(owner);
  const [mine, theirs] = [await makeRoom(owner), await makeRoom(owner)];
  for (const room of [mine, theirs]) await makeLeg(owner, room, { kind: 'inbound', state: 'joined' });
  const document = openApi('0.0.0');
  const named = [
    'legId',
    ...Object.keys(document.paths).flatMap((path) => [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name)),
  ];
  const party = ({ tenantId, roomId }: { tenantId: string; roomId: string }): Party =>
    ({
      tenantId,
      key: newKey(),
      pin: '407281935',
      vendor: createVendor(),
      client: { token: 'client-token', mediaSessionId: 'media-session' },
      // One for whatever a path names: nobody looks it up here.
      ids: { ...Object.fromEntries(named.map((name) => [name, `${name}-of-${tenantId}`])), roomId },
      marks: [roomId, tenantId],
    }) as unknown as Party;
  const [victim, attacker] = [party(mine), party(theirs)];

  let manners: Manners = () => ({ status: 200, body: { everything: victim.marks } });
  const logFolder = mkdtempSync(join(tmpdir(), 'partyline-careless-'));
  const log = (line: string): void => appendFileSync(join(logFolder, 'careless.log'), `${line}\n`);
  log('listening');
  const server = createServer((request, reply) => {
    let body = '';
    request.on('data', (bytes: Buffer) => (body += bytes.toString()));
    request.on('error', () => undefined);
    request.on('end', () => {
      log(`${request.url} ${request.headers.authorization} ${body.slice(0, 2_000)}`);
      void Promise.resolve(manners(request.url ?? '', body, owner)).then((answer) =>
        reply.writeHead(answer.status, { 'content-type': 'application/json' }).end(JSON.stringify(answer.body)),
      );
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const http = openHttp();
  const credentials = createCredentials();
  const target = {
    apiUrl: url,
    send: http.send,
    carrier: openCarrier(url, credentials, http.send),
    document,
    owner,
    // Whoever forgets whose rows it is after gets everybody's.
    service: owner,
    victim,
    attacker,
    operatorKey: 'plop_dev_x',
    keyWith: async () => newKey(),
    dead: { revoked: newKey(), expired: newKey() },
    stack: {
      urls: { 'voice-webhooks': url, 'room-api': url },
      numbers: [{ e164: '+12025550100', language: 'en-US' }],
      credentials,
      logFolder,
      instances: [{ name: 'careless', url }],
      databaseUrl: database.url,
      postgres: { serviceUrlOf: async () => database.url },
    },
    seed: 1,
  } as unknown as Target;
  return {
    target,
    behave: (next) => {
      manners = next;
    },
    async stop() {
      http.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await owner.close();
      await database.drop();
    },
  };
}
