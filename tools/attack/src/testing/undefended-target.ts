import { appendFileSync, mkdtempSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openApi } from '@partyline/contracts/openapi';
import { createCredentials, createProviderCredentials } from '@partyline/dev/stack/credentials';
import { openStore, type Store } from '@partyline/store/database/store';
import { makeLeg, makeNumbers, makeRoom } from '@partyline/store/testing/fixtures';
import { createTestDatabase } from '@partyline/testing/postgres';
import { createWebhookSender } from '../webhook-sender.ts';
import { createHttpClient } from '../http.ts';
import { newKey, type Party, type Target } from '../target.ts';

/**
 * Answers the requests to a service without defences. The default grants everything and reveals all
 * data.
 */
export type Responder = (
  path: string,
  body: string,
  owner: Store,
) => Promise<{ status: number; body: unknown }> | { status: number; body: unknown };

/**
 * Starts a target without defences, on a real database with two tenants. Every group must find
 * faults in it.
 */
export async function startUndefendedTarget(): Promise<{
  target: Target;
  setResponder(responder: Responder): void;
  stop(): Promise<void>;
}> {
  const database = await createTestDatabase();
  const owner = openStore({ owner: true, url: database.url, max: 4, onError: () => undefined });
  await makeNumbers(owner);
  const [victimRoom, attackerRoom] = [await makeRoom(owner), await makeRoom(owner)];
  for (const room of [victimRoom, attackerRoom]) await makeLeg(owner, room, { kind: 'inbound', state: 'joined' });
  const document = openApi('0.0.0');
  const pathParameters = [
    'legId',
    ...Object.keys(document.paths).flatMap((path) => [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name)),
  ];
  const createParty = ({ tenantId, roomId }: { tenantId: string; roomId: string }): Party =>
    ({
      tenantId,
      key: newKey(),
      pin: '407281935',
      providerAccount: createProviderCredentials(),
      client: { token: 'client-token', mediaSessionId: 'media-session' },
      // An id for every path parameter; this target does not look ids up.
      ids: { ...Object.fromEntries(pathParameters.map((name) => [name, `${name}-of-${tenantId}`])), roomId },
      privateValues: [roomId, tenantId],
    }) as unknown as Party;
  const [victim, attacker] = [createParty(victimRoom), createParty(attackerRoom)];
  for (const { ids, tenantId } of [victim, attacker])
    await owner.pool.query(
      `INSERT INTO provider_account (
         id, tenant_id, label, voice_kind, media_kind, application_id, voice_key_end, ciphertext, verified_at
       )
       VALUES ($1, $2, 'Own', 'vonage', 'unified', $1, 'end', '\\x00', now())`,
      [ids['accountId'], tenantId],
    );

  let responder: Responder = () => ({ status: 200, body: { everything: victim.privateValues } });
  const logFolder = mkdtempSync(join(tmpdir(), 'partyline-undefended-'));
  const log = (line: string): void => appendFileSync(join(logFolder, 'undefended.log'), `${line}\n`);
  log('listening');
  const server = createServer((request, reply) => {
    let body = '';
    request.on('data', (bytes: Buffer) => (body += bytes.toString()));
    request.on('error', () => undefined);
    request.on('end', () => {
      log(`${request.url} ${request.headers.authorization} ${body.slice(0, 2_000)}`);
      void Promise.resolve(responder(request.url ?? '', body, owner)).then((answer) =>
        reply.writeHead(answer.status, { 'content-type': 'application/json' }).end(JSON.stringify(answer.body)),
      );
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const http = createHttpClient();
  const credentials = createCredentials();
  const target = {
    apiUrl: url,
    send: http.send,
    webhookSender: createWebhookSender(url, credentials, http.send),
    document,
    owner,
    // A query without a tenant gets the rows of all tenants.
    service: owner,
    victim,
    attacker,
    operatorKey: 'plop_dev_x',
    createKeyWithScopes: async () => newKey(),
    deadKeys: { revoked: newKey(), expired: newKey() },
    stack: {
      urls: { 'voice-webhooks': url, 'room-api': url },
      numbers: [{ e164: '+12025550100', language: 'en-US' }],
      credentials,
      logFolder,
      instances: [{ name: 'undefended', url, managementUrl: url }],
      databaseUrl: database.url,
      postgres: { serviceUrlOf: async () => database.url },
    },
    seed: 1,
  } as unknown as Target;
  return {
    target,
    setResponder: (next) => {
      responder = next;
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
