import { randomBytes } from 'node:crypto';
import type { OpenApi } from '@partyline/contracts/openapi';
import type { CreatedRoom } from '@partyline/contracts/rooms/room';
import { createVendor, type VendorCredentials } from '@partyline/dev/stack/credentials';
import { accountBody } from '@partyline/dev/stack/own-account';
import { vendorAccount } from '@partyline/dev/stack/service-environment';
import type { Stack } from '@partyline/dev/stack/stack';
import { seed } from '@partyline/store/tenants/seed';
import { openStore, type Store } from '@partyline/store/database/store';
import { openCarrier, type Carrier } from './carrier.ts';
import { openHttp, type Send } from './http.ts';

/** A tenant with something to lose: a running session, with a caller in it. */
export interface Party {
  readonly tenantId: string;
  /** May do everything of its tenant's. */
  readonly key: string;
  readonly pin: string;
  /** Its own account at the vendor, with all of its secrets. */
  readonly vendor: VendorCredentials;
  /** A token for its browsers, and the vendor's session that it opens. */
  readonly client: NonNullable<CreatedRoom['client']>;
  /** Ids of its own by what a path calls them: `roomId`, `sessionId` … */
  readonly ids: Readonly<Record<string, string>>;
  /** What only this tenant may ever be shown. */
  readonly marks: readonly string[];
}

/** Everything that is attacked, and what an attacker has. */
export interface Target {
  readonly apiUrl: string;
  readonly send: Send;
  readonly carrier: Carrier;
  /** The API's own description, as it serves it. */
  readonly document: OpenApi;
  /** As the database's owner: to see what an attack changed. */
  readonly owner: Store;
  /** As the services connect. */
  readonly service: Store;
  readonly victim: Party;
  readonly attacker: Party;
  /** A key of the attacker's with just these scopes. */
  keyWith(scopes: readonly string[]): Promise<string>;
  /** Keys of the attacker's that are good no more. */
  readonly dead: { readonly revoked: string; readonly expired: string };
  /** A key of the platform's operator. */
  readonly operatorKey: string;
  readonly stack: Stack;
  /** Which chances to take. */
  readonly seed: number;
  close(): Promise<void>;
}

export const newKey = (): string => `pl_dev_${randomBytes(6).toString('hex')}_${randomBytes(32).toString('base64url')}`;
export const keyIdOf = (key: string): string => key.split('_')[2] ?? '';

/** Makes the two tenants in a running stack, each with a caller in a session. */
export async function openTarget(stack: Stack, seedNumber: number): Promise<Target> {
  const http = openHttp();
  const owner = openStore({ owner: true, url: stack.databaseUrl, max: 4, onError: () => undefined });
  // Few, so that what one transaction left on a connection meets the next.
  const service = openStore({
    url: await stack.postgres.serviceUrlOf(stack.databaseUrl),
    max: 2,
    onError: () => undefined,
  });
  const apiUrl = stack.urls['room-api'];
  const addKey = async (tenantId: string, set = ''): Promise<string> => {
    const key = newKey();
    await seed(owner, { tenantId, tenantName: tenantId, apiKey: key, numbers: [] });
    if (set !== '') await owner.pool.query(`UPDATE api_key SET ${set} WHERE id = $1`, [keyIdOf(key)]);
    return key;
  };

  const { tenantId, apiKey, operator } = stack.credentials;
  const attackerId = `ten_${randomBytes(12).toString('hex')}`;
  const attackerKey = await addKey(attackerId);
  // What is refused must be so for what it is, not for being too much at once.
  for (const id of [tenantId, attackerId])
    await ask(apiUrl, operator.key, 'PATCH', `/v1/operator/tenants/${id}`, {
      limits: UNLIMITED,
      homeCountry: 'GB',
      allowedCountries: [],
    });
  const [victim, attacker] = [
    await makeParty(stack, owner, tenantId, apiKey, '+442079460021'),
    await makeParty(stack, owner, attackerId, attackerKey, '+442079460022'),
  ];
  const document = JSON.parse((await http.send({ method: 'GET', url: `${apiUrl}/v1/openapi.json` })).body) as OpenApi;
  return {
    apiUrl,
    send: http.send,
    carrier: openCarrier(stack.urls['voice-webhooks'], stack.credentials, http.send),
    document,
    owner,
    service,
    victim,
    attacker,
    keyWith: (scopes) => addKey(attackerId, `scopes = '{${scopes.join(',')}}'`),
    dead: {
      revoked: await addKey(attackerId, 'revoked_at = now()'),
      expired: await addKey(attackerId, `expires_at = now() - interval '1 second'`),
    },
    operatorKey: operator.key,
    stack,
    seed: seedNumber,
    async close() {
      http.close();
      await Promise.all([owner.close(), service.close()]);
    },
  };
}

const MANY = 1_000_000;
const UNLIMITED = { maxLiveRooms: MANY, maxLiveLegs: MANY, maxDialOutsPerMinute: MANY, maxRequestsPerMinute: MANY };

/** An honest request. Throws when it is refused. */
async function ask<T>(apiUrl: string, key: string, method: string, path: string, body: object): Promise<T> {
  const reply = await fetch(apiUrl + path, {
    method,
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!reply.ok)
    throw new Error(
      `${method} ${path}, which prepares the attack, was answered ${reply.status}: ${await reply.text()}`,
    );
  return (await reply.json()) as T;
}

/** A room of the tenant's that ends by no clock, a caller in it, and one of each thing that a path can name. */
async function makeParty(stack: Stack, owner: Store, tenantId: string, key: string, phone: string): Promise<Party> {
  const vendor = stack.vendor!;
  const number = stack.numbers[0]!.e164;
  const apiUrl = stack.urls['room-api'];
  const clocks = {
    neverUsedSeconds: null,
    aloneSeconds: null,
    phonesLeftSeconds: null,
    browsersLeftSeconds: null,
    emptySeconds: null,
  };
  const { room, session, client, participantId, pin } = await ask<CreatedRoom>(apiUrl, key, 'POST', '/v1/rooms', {
    name: `Room of ${tenantId}`,
    number,
    ...clocks,
  });
  if (session === null || client === null || pin === null) throw new Error('The room to attack has no session.');
  const { id } = await vendor.dial({ from: phone, to: number });
  await vendor.awaitPrompt(id);
  await vendor.key(id, `${pin}#`);
  await vendor.awaitJoined(id);
  const { rows } = await owner.pool.query<{ leg: string; participant: string }>(
    `SELECT id AS leg, participant_id AS participant FROM leg WHERE session_id = $1 AND kind = 'inbound'`,
    [session.id],
  );
  const { leg = '', participant = '' } = rows[0] ?? {};
  const { id: pinId } = await ask<{ id: string }>(apiUrl, key, 'POST', `/v1/rooms/${room.id}/pins`, {
    name: 'Somebody',
  });
  // Disabled, so that nothing leaves this machine.
  const { endpoint } = await ask<{ endpoint: { id: string } }>(apiUrl, key, 'POST', '/v1/endpoints', {
    url: 'https://example.com/events',
    enabled: false,
  });
  const deliveryId = `dlv_${randomBytes(16).toString('base64url')}`;
  await owner.pool.query(
    `INSERT INTO delivery (id, tenant_id, endpoint_id, event_id, stream, seq, state, done_at) VALUES ($1, $2, $3, 1, $4, 1, 'failed', now())`,
    [deliveryId, tenantId, endpoint.id, session.id],
  );
  const own = createVendor();
  await vendor.addAccount(vendorAccount(own, []));
  const account = await ask<{ id: string }>(apiUrl, key, 'POST', '/v1/provider-accounts', accountBody('unified', own));
  const ids = {
    accountId: account.id,
    roomId: room.id,
    sessionId: session.id,
    participantId: participant,
    legId: leg,
    keyId: keyIdOf(key),
    tenantId,
    pinId,
    endpointId: endpoint.id,
    deliveryId,
  };
  const marks = [...Object.values(ids), participantId ?? '', pin, client.token, room.name].filter(
    (mark) => mark !== '',
  );
  return { tenantId, key, pin, vendor: own, client, ids: { ...ids, number }, marks: [...new Set(marks)] };
}
