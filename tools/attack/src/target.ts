import { randomBytes } from 'node:crypto';
import type { OpenApi } from '@partyline/contracts/openapi';
import type { CreatedRoom } from '@partyline/contracts/rooms/room';
import { createProviderCredentials, type ProviderCredentials } from '@partyline/dev/stack/credentials';
import { buildAccountBody } from '@partyline/dev/stack/own-account';
import { buildEmulatorAccount } from '@partyline/dev/stack/service-environment';
import type { Stack } from '@partyline/dev/stack/stack';
import { seed } from '@partyline/store/tenants/seed';
import { openStore, type Store } from '@partyline/store/database/store';
import { createWebhookSender, type WebhookSender } from './webhook-sender.ts';
import { createHttpClient, type Send } from './http.ts';
import { openMeeting, type Meeting } from './self-hosted/meeting.ts';

/** A tenant with a running session and a caller in it. */
export interface Party {
  readonly tenantId: string;
  /** An API key with all scopes. */
  readonly key: string;
  readonly pin: string;
  /** The secrets of its own provider account. */
  readonly providerAccount: ProviderCredentials;
  /** A client token and the media session that it opens. */
  readonly client: NonNullable<CreatedRoom['client']>;
  /** Its own ids by path parameter: `roomId`, `sessionId` and so on. */
  readonly ids: Readonly<Record<string, string>>;
  /** Values that only this tenant may read. */
  readonly privateValues: readonly string[];
}

/** The attacked deployment and the attacker's means. */
export interface Target {
  readonly apiUrl: string;
  readonly send: Send;
  readonly webhookSender: WebhookSender;
  /** The OpenAPI document that the API serves. */
  readonly document: OpenApi;
  /** Connects as the database's owner, to observe changes. */
  readonly owner: Store;
  /** Connects with the services' role. */
  readonly service: Store;
  readonly victim: Party;
  readonly attacker: Party;
  /** Creates a key of the attacker with exactly these scopes. */
  createKeyWithScopes(scopes: readonly string[]): Promise<string>;
  /** Keys of the attacker that are no longer valid. */
  readonly deadKeys: { readonly revoked: string; readonly expired: string };
  /** A key of the operator. */
  readonly operatorKey: string;
  readonly stack: Stack;
  /** A meeting at our own gateways, which the first call opens. Rejects when the stack has none. */
  openMeeting(this: void): Promise<Meeting>;
  /** The seed of the randomness. */
  readonly seed: number;
  close(): Promise<void>;
}

export const newKey = (): string => `pl_dev_${randomBytes(6).toString('hex')}_${randomBytes(32).toString('base64url')}`;
export const keyIdOf = (key: string): string => key.split('_')[2] ?? '';

/**
 * Creates both tenants in a running stack, each with a caller in a session.
 * @param missing why the stack has no gateways, in a sentence
 */
export async function openTarget(stack: Stack, seedNumber: number, missing: string | null): Promise<Target> {
  const http = createHttpClient();
  const owner = openStore({ owner: true, url: stack.databaseUrl, max: 4, onError: () => undefined });
  // Few connections, so that a transaction meets the state that an earlier one left on its
  // connection.
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
  // Inputs must be rejected for their content, not by a rate limit or quota.
  for (const id of [tenantId, attackerId])
    await request(apiUrl, operator.key, 'PATCH', `/v1/operator/tenants/${id}`, {
      limits: UNLIMITED_LIMITS,
      homeCountry: 'GB',
      allowedCountries: [],
    });
  const [victim, attacker] = [
    await createParty(stack, owner, tenantId, apiKey, '+442079460021'),
    await createParty(stack, owner, attackerId, attackerKey, '+442079460022'),
  ];
  let meeting: Promise<Meeting> | undefined;
  const document = JSON.parse((await http.send({ method: 'GET', url: `${apiUrl}/v1/openapi.json` })).body) as OpenApi;
  return {
    apiUrl,
    send: http.send,
    webhookSender: createWebhookSender(stack.urls['voice-webhooks'], stack.credentials, http.send),
    document,
    owner,
    service,
    victim,
    attacker,
    createKeyWithScopes: (scopes) => addKey(attackerId, `scopes = '{${scopes.join(',')}}'`),
    deadKeys: {
      revoked: await addKey(attackerId, 'revoked_at = now()'),
      expired: await addKey(attackerId, `expires_at = now() - interval '1 second'`),
    },
    operatorKey: operator.key,
    stack,
    openMeeting: () =>
      (meeting ??=
        missing === null
          ? openMeeting({ stack, owner, operatorKey: operator.key, victim, attacker })
          : Promise.reject(new Error(missing))),
    seed: seedNumber,
    async close() {
      await (await meeting?.catch(() => undefined))?.close();
      http.close();
      await Promise.all([owner.close(), service.close()]);
    },
  };
}

const NO_LIMIT = 1_000_000;
const UNLIMITED_LIMITS = {
  maxLiveRooms: NO_LIMIT,
  maxLiveLegs: NO_LIMIT,
  maxDialOutsPerMinute: NO_LIMIT,
  maxRequestsPerMinute: NO_LIMIT,
};

/** Sends a valid API request. Throws when it fails. */
async function request<T>(apiUrl: string, key: string, method: string, path: string, body: object): Promise<T> {
  const reply = await fetch(apiUrl + path, {
    method,
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!reply.ok) throw new Error(`${method} ${path} failed with ${reply.status} in the setup: ${await reply.text()}`);
  return (await reply.json()) as T;
}

/**
 * Creates a room without deadlines, with a caller in it, and one resource for each id that a path
 * can hold.
 */
async function createParty(stack: Stack, owner: Store, tenantId: string, key: string, phone: string): Promise<Party> {
  const emulator = stack.emulator!;
  const number = stack.numbers[0]!.e164;
  const apiUrl = stack.urls['room-api'];
  const clocks = {
    neverUsedSeconds: null,
    aloneSeconds: null,
    phonesLeftSeconds: null,
    browsersLeftSeconds: null,
    emptySeconds: null,
  };
  const { room, session, client, participantId, pin } = await request<CreatedRoom>(apiUrl, key, 'POST', '/v1/rooms', {
    name: `Room of ${tenantId}`,
    number,
    ...clocks,
  });
  if (session === null || client === null || pin === null) throw new Error('The room to attack has no session.');
  const { id } = await emulator.dial({ from: phone, to: number });
  await emulator.awaitPrompt(id);
  await emulator.key(id, `${pin}#`);
  await emulator.awaitJoined(id);
  const { rows } = await owner.pool.query<{ leg: string; participant: string }>(
    `SELECT id AS leg, participant_id AS participant FROM leg WHERE session_id = $1 AND kind = 'inbound'`,
    [session.id],
  );
  const { leg = '', participant = '' } = rows[0] ?? {};
  const { id: pinId } = await request<{ id: string }>(apiUrl, key, 'POST', `/v1/rooms/${room.id}/pins`, {
    name: 'Participant',
  });
  // Disabled, so that no event leaves this machine.
  const { endpoint } = await request<{ endpoint: { id: string } }>(apiUrl, key, 'POST', '/v1/endpoints', {
    url: 'https://example.com/events',
    enabled: false,
  });
  const deliveryId = `dlv_${randomBytes(16).toString('base64url')}`;
  await owner.pool.query(
    `INSERT INTO delivery (id, tenant_id, endpoint_id, event_id, stream, seq, state, done_at)
     VALUES ($1, $2, $3, 1, $4, 1, 'failed', now())`,
    [deliveryId, tenantId, endpoint.id, session.id],
  );
  const ownAccount = createProviderCredentials();
  await emulator.addAccount(buildEmulatorAccount(ownAccount, []));
  const account = await request<{ id: string }>(
    apiUrl,
    key,
    'POST',
    '/v1/provider-accounts',
    buildAccountBody('unified', ownAccount),
  );
  // This stack has no SIP servers, so the API would create none.
  const sipAccountId = `sip_${randomBytes(16).toString('base64url')}`;
  await owner.pool.query('INSERT INTO sip_account (id, tenant_id, label) VALUES ($1, $2, $3)', [
    sipAccountId,
    tenantId,
    `Phone of ${tenantId}`,
  ]);
  const ids = {
    sipAccountId,
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
  const privateValues = [...Object.values(ids), participantId ?? '', pin, client.token, room.name].filter(
    (mark) => mark !== '',
  );
  return {
    tenantId,
    key,
    pin,
    providerAccount: ownAccount,
    client,
    ids: { ...ids, number },
    privateValues: [...new Set(privateValues)],
  };
}
