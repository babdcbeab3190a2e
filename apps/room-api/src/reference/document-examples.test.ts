import { generateKeyPairSync } from 'node:crypto';
import { openApi } from '@partyline/contracts/openapi';
import { OPERATIONS } from '@partyline/contracts/operations';
import { createProviderCredentials } from '@partyline/dev/stack/credentials';
import { buildAccountBody } from '@partyline/dev/stack/own-account';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { acceptingProvider, startTestHarness, type TestHarness } from '../testing/test-harness.ts';

const document = openApi('0.0.0');
const operations = OPERATIONS.map((operation) => {
  const documented = document.paths[operation.path]?.[operation.method];
  if (!documented) throw new Error(`The document lacks ${operation.id}.`);
  return { ...operation, ...documented };
});

let harness: TestHarness;
beforeAll(async () => {
  harness = await startTestHarness(() => acceptingProvider);
});
afterAll(() => harness.stop());

let numbers = 0;
const create = async (path: string, body: object) => (await harness.request('POST', path, { body })).body;

/** Creates what the path of an operation names. */
async function createIds(path: string, operationId: string): Promise<Record<string, string>> {
  const room = await create('/v1/rooms', { name: 'Room' });
  const ids: Record<string, string> = {
    roomId: room.room.id,
    sessionId: room.session.id,
    participantId: room.participantId,
    number: `1312555${String(1000 + (numbers += 1))}`,
  };
  if (path.includes('{pinId}')) ids.pinId = (await create(`/v1/rooms/${ids.roomId}/pins`, { name: 'Ada' })).id;
  if (path.includes('{number}')) await create('/v1/operator/numbers', { number: `+${ids.number}` });
  if (path.includes('{keyId}'))
    ids.keyId = (await create('/v1/keys', { label: 'Key', scopes: ['rooms:read'] })).apiKey.id;
  if (path.includes('{tenantId}')) {
    ids.tenantId = (await create('/v1/operator/tenants', { name: 'Tenant' })).tenant.id as string;
    // Only a suspended tenant can be deleted.
    if (operationId === 'deleteTenant') await harness.request('POST', `/v1/operator/tenants/${ids.tenantId}/suspend`);
  }
  if (path.includes('{accountId}')) {
    await harness.store.prisma.provider_account.deleteMany();
    ids.accountId = (
      await create('/v1/provider-accounts', buildAccountBody('unified', createProviderCredentials()))
    ).id;
  }
  if (path.includes('{sipAccountId}'))
    ids.sipAccountId = (await create('/v1/sip-accounts', { label: 'Phone' })).sipAccount.id;
  if (path.includes('{endpointId}') || path.includes('{deliveryId}')) {
    await harness.store.prisma.endpoint.deleteMany();
    ids.endpointId = (await create('/v1/endpoints', { url: 'https://example.com/events' })).endpoint.id as string;
    const ping = await harness.request('POST', `/v1/endpoints/${ids.endpointId}/ping`);
    ids.deliveryId = ping.body.deliveryId;
    ids.eventId = ping.body.eventId;
  }
  return ids;
}

/** The example with what only this deployment knows: the id of an event, a real key. */
const fillIn = (example: unknown, ids: Readonly<Record<string, string>>): unknown =>
  JSON.parse(
    JSON.stringify(example, (_, value: unknown) =>
      typeof value === 'string' && value.includes('BEGIN PRIVATE KEY')
        ? generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey.export({ type: 'pkcs8', format: 'pem' })
        : value === 'evt_3q2-7wAAQkV1bWJlclBhcn_1'
          ? ids.eventId
          : value,
    ),
  );

describe('every example request of the OpenAPI document', () => {
  it.each(operations)('gets its documented status: $operationId', async (operation) => {
    const { method, path, operationId, requestBody } = operation;
    const ids = await createIds(path, operationId);
    const content = requestBody?.content['application/json'];
    if (requestBody !== undefined) expect(content?.example).toBeDefined();
    const { status, body } = await harness.request(
      method.toUpperCase(),
      path.replaceAll(/\{(\w+)\}/g, (_, name: string) => ids[name] ?? ''),
      content === undefined ? {} : { body: fillIn(content.example, ids) },
    );
    expect([status, body.errors]).toEqual([operation.reply.status, undefined]);
  });

  it.each(
    operations.flatMap(({ operationId, path, parameters = [] }) =>
      parameters
        .filter((each) => each.in === 'query')
        .map(({ name, schema }) => [operationId, path, name, schema.examples?.[0]] as const)
        // A cursor and an id of another deployment name nothing here.
        .filter(([, , name, example]) => name !== 'after' && !String(example).includes('_3q2-7wAAQkV1bWJlclBhcn')),
    ),
  )('gets 200 with its example of a query: %s %s %s=%s', async (operationId, path, name, example) => {
    const ids = await createIds(path, operationId);
    const address = path.replaceAll(/\{(\w+)\}/g, (_, id: string) => ids[id] ?? '');
    const query = new URLSearchParams({ [name]: String(example) });
    if (name === 'to') query.set('from', new Date(Date.parse(String(example)) - 86_400_000).toISOString());
    const { status, body } = await harness.request('GET', `${address}?${query}`);
    expect([status, body.errors]).toEqual([200, undefined]);
  });

  it('is shown as a command on the reference page', async () => {
    const { body } = await harness.request('GET', '/docs', { key: null });
    for (const { operationId, 'x-codeSamples': samples } of operations) {
      expect([operationId, samples[0]?.source]).toEqual([
        operationId,
        expect.stringMatching(/^curl .*"\$API\/v1\/[^{}]*"/),
      ]);
      expect(body).toContain(samples[0]?.source.split(' -H ')[0]?.replaceAll('"', '&quot;'));
    }
  });

  it('has the address of the document as its server', () => expect(document.servers).toMatchObject([{ url: '/' }]));
});
