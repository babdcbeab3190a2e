import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createRpcHandlers } from '@partyline/conference/provider-rpc/handlers';
import { openAccountVault } from '@partyline/conference/providers/account-vault';
import { localKeyService } from '@partyline/conference/crypto/key-service';
import { createProviderCredentials } from '@partyline/dev/stack/credentials';
import { buildAccountBody } from '@partyline/dev/stack/own-account';
import { providerDeps } from '@partyline/provider-contract/testing/provider-deps';
import { createAccountBuilder } from '@partyline/provider-registry/from-account';
import { createTestKamailio, type TestKamailio } from '@partyline/testing/kamailio';
import { systemClock } from '@partyline/runtime/system';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { acceptingProvider, MASTER_KEYS, startTestHarness, type TestHarness } from '../testing/test-harness.ts';

/** A gateway without calls. */
const gateway = createServer((_request, response) => {
  if (!isGatewayUp) return void response.writeHead(503).end();
  return void response.setHeader('content-type', 'application/json').end('{"calls":[]}');
});
let isGatewayUp = true;
let hasGateways = true;
let harness: TestHarness;
let kamailio: TestKamailio;
beforeAll(async () => {
  kamailio = await createTestKamailio();
  gateway.listen(0, '127.0.0.1');
  await once(gateway, 'listening');
  const url = `http://127.0.0.1:${(gateway.address() as AddressInfo).port}`;
  const hosts = { SIP_HOST: 'sip.nexmo.com' };
  const gateways = {
    MEDIA_GATEWAYS: [{ id: 'gw-1', url }],
    GATEWAY_SECRET: 'g'.repeat(32),
    GATEWAY_SOCKET_URL: 'wss://rooms.example.com/v1/socket',
    KAMAILIO_RPC_URL: kamailio.rpcUrl,
    KAMAILIO_RPC_SECRET: kamailio.rpcSecret,
  };
  const createBuilder = (platform: typeof hosts) =>
    createAccountBuilder(platform, providerDeps(4_000), () => undefined);
  const [withoutGateways, withGateways] = [createBuilder(hosts), createBuilder({ ...hosts, ...gateways })];
  harness = await startTestHarness(
    (store) => {
      const orchestrator = createRpcHandlers({
        store,
        jobs: {
          enqueue: async () => undefined,
          armHangUp: async () => undefined,
          assertReachable: async () => undefined,
        },
        clock: systemClock,
        report: { count: () => undefined, observe: () => undefined, warn: () => undefined },
        providers: () => Promise.reject(new Error('these tests do not use the platform account')),
        accounts: {
          vault: openAccountVault({ store, keys: localKeyService(MASTER_KEYS) }),
          build: (...given) => (hasGateways ? withGateways : withoutGateways)(...given),
        },
      });
      return { ...acceptingProvider, verifyAccount: (input) => orchestrator.verifyAccount(input) };
    },
    { rpcTimeoutMs: 20_000 },
  );
});
beforeEach(async () => {
  [isGatewayUp, hasGateways] = [true, true];
  await harness.store.prisma.provider_account.deleteMany({ where: { numbers: { none: {} } } });
});
afterAll(async () => {
  await harness.stop();
  await kamailio.stop();
  gateway.close();
  gateway.closeAllConnections();
});

const PATH = '/v1/provider-accounts';
const TRUNK = { host: 'SIP.Carrier.de:5080', transport: 'tcp', username: 'anna', password: 'a secret of the trunk' };
const BODY = {
  label: 'Our trunk',
  voice: { kind: 'sip', trunk: TRUNK, addresses: ['8.8.4.4', '2001:4860:4860:0::8844', '8.8.4.4'] },
  video: { kind: 'janus' },
};
const create = (voice: object = {}, more: object = {}) =>
  harness.request('POST', PATH, { body: { ...BODY, voice: { ...BODY.voice, ...voice }, ...more } });
const countAccounts = (): Promise<number> => harness.store.prisma.provider_account.count();

describe('a trunk account', () => {
  it('is stored and shown without its credentials, with the address for the trunk', async () => {
    const { status, body: made } = await create();
    expect([status, made]).toEqual([
      201,
      {
        id: expect.stringMatching(/^acct_/) as string,
        label: 'Our trunk',
        voice: {
          kind: 'sip',
          trunk: { host: 'sip.carrier.de:5080', transport: 'tcp' },
          addresses: ['8.8.4.4', '2001:4860:4860::8844'],
          sipAddress: 'sip.example.com:5060',
        },
        video: { kind: 'janus', apiKey: null },
        version: 1,
        verifiedAt: expect.any(String) as string,
        oldSecretsUntil: null,
        addresses: null,
        numbers: [],
        createdAt: expect.any(String) as string,
      },
    ]);
    const own = `${PATH}/${made.id}`;
    expect((await harness.request('GET', own)).body).toEqual(made);
    expect((await harness.request('GET', PATH)).body.accounts).toEqual([made]);
    expect((await harness.request('PATCH', own, { body: { label: 'Sales' } })).body.label).toBe('Sales');
    expect((await harness.request('POST', `${own}/verify`)).body.verifiedAt).not.toBe(made.verifiedAt);
    const row = await harness.store.prisma.provider_account.findUniqueOrThrow({ where: { id: made.id } });
    for (const secret of [TRUNK.username, TRUNK.password]) {
      expect(Buffer.from(row.ciphertext!).includes(secret)).toBe(false);
      expect(JSON.stringify(row)).not.toContain(secret);
    }
    const { body: log } = await harness.request('GET', '/v1/audit?limit=10');
    expect(JSON.stringify(log)).not.toContain(TRUNK.password);
  });

  it('needs no trunk to be called, and no credentials at a trunk that knows the platform', async () => {
    expect((await create({ trunk: undefined })).body.voice.trunk).toBeNull();
    expect((await create({ trunk: { host: '8.8.8.8' } })).body.voice.trunk).toEqual({
      host: '8.8.8.8',
      transport: 'udp',
    });
  });

  it('gets numbers from the operator, and is erased when it is deleted', async () => {
    const { body: made } = await create();
    const number = '+13125550188';
    const assigned = await harness.request('POST', '/v1/operator/numbers', {
      body: { number, tenantId: 'ten_ours', providerAccountId: made.id },
    });
    expect([assigned.status, assigned.body.trunkHost]).toEqual([201, 'sip.carrier.de:5080']);
    expect((await harness.request('GET', `${PATH}/${made.id}`)).body.numbers).toEqual([number]);
    expect((await harness.request('DELETE', `${PATH}/${made.id}`)).body.reason).toBe('provider-account-in-use');
    await harness.request('DELETE', `/v1/operator/numbers/${number.slice(1)}`);
    expect((await harness.request('DELETE', `${PATH}/${made.id}`)).status).toBe(200);
    expect(await harness.store.prisma.provider_account.findUniqueOrThrow({ where: { id: made.id } })).toMatchObject({
      ciphertext: null,
      trunk_host: null,
      trunk_addresses: [],
    });
  });

  it('leaves its trunk and addresses in the audit log when it is created and rotated, and no credentials', async () => {
    const { body: made } = await create();
    await harness.request('POST', `${PATH}/${made.id}/rotate`, {
      body: { voice: { trunk: { transport: 'tls', password: 'a new secret' }, addresses: ['8.8.8.8'] } },
    });
    const { entries } = (await harness.request('GET', '/v1/audit?limit=2')).body;
    expect(entries.map(({ changes }: { changes: { after: object } }) => changes.after)).toEqual([
      expect.objectContaining({
        version: 2,
        trunkHost: 'sip.carrier.de:5080',
        trunkTransport: 'tls',
        trunkAddresses: ['8.8.8.8'],
      }),
      expect.objectContaining({
        id: made.id,
        trunkHost: 'sip.carrier.de:5080',
        trunkTransport: 'tcp',
        trunkAddresses: ['8.8.4.4', '2001:4860:4860::8844'],
      }),
    ]);
    expect(JSON.stringify(entries)).not.toMatch(/anna|secret of the trunk|a new secret/);
  });

  it('is not found for another tenant', async () => {
    const { body: made } = await create();
    const reply = await harness.request('GET', `${PATH}/${made.id}`, { key: harness.keys.theirs });
    expect([reply.status, reply.body.reason]).toEqual([404, 'provider-account-not-found']);
  });

  it('is not stored while no gateway answers', async () => {
    isGatewayUp = false;
    expect((await create()).status).toBeGreaterThanOrEqual(500);
    expect(await countAccounts()).toBe(0);
  });

  it('is rejected with 503 by a platform without gateways', async () => {
    hasGateways = false;
    const reply = await create();
    expect([reply.status, reply.body.reason]).toEqual([503, 'sip-not-configured']);
    expect(await countAccounts()).toBe(0);
  });

  it.each([
    ['loopback', { trunk: { host: '127.0.0.1:5060' } }, '/voice/trunk/host'],
    ['a private network', { trunk: { host: '10.0.0.7' } }, '/voice/trunk/host'],
    ['the metadata service', { trunk: { host: '169.254.169.254' } }, '/voice/trunk/host'],
    ['a name without a dot', { trunk: { host: 'kamailio' } }, '/voice/trunk/host'],
    ['a name of a private network', { trunk: { host: 'trunk.svc.cluster.local' } }, '/voice/trunk/host'],
    ['a private address that calls', { addresses: ['8.8.4.4', '192.168.1.1'] }, '/voice/addresses/1'],
    ['a mapped loopback address', { addresses: ['::ffff:127.0.0.1'] }, '/voice/addresses/0'],
    ['a local IPv6 address', { addresses: ['fd00::1'] }, '/voice/addresses/0'],
  ])('is rejected with a host that is not public: %s', async (_what, voice, pointer) => {
    const reply = await create(voice);
    expect([reply.status, reply.body.reason, reply.body.errors[0].pointer]).toEqual([
      422,
      'trunk-address-rejected',
      pointer,
    ]);
    expect(await countAccounts()).toBe(0);
  });

  it.each<[string, () => ReturnType<typeof create>, string]>([
    ['no address', () => create({ addresses: [] }), '/voice/addresses'],
    ['a network as an address', () => create({ addresses: ['8.8.4.0/24'] }), '/voice/addresses/0'],
    [
      '33 addresses',
      () => create({ addresses: Array.from({ length: 33 }, (_, n) => `8.8.4.${n}`) }),
      '/voice/addresses',
    ],
    ['a user without a password', () => create({ trunk: { host: 'sip.carrier.de', username: 'a' } }), '/voice/trunk'],
    ['a port above 65535', () => create({ trunk: { host: 'sip.carrier.de:99999' } }), '/voice/trunk/host'],
    ['a URI as a host', () => create({ trunk: { host: 'sip:carrier.de' } }), '/voice/trunk/host'],
    ['a header in a user', () => create({ trunk: { ...TRUNK, username: 'a"\r\nX: y' } }), '/voice/trunk/username'],
    ['another transport', () => create({ trunk: { ...TRUNK, transport: 'ws' } }), '/voice/trunk/transport'],
    ['a callback secret', () => create({}, { callbackSecret: 'c'.repeat(32) }), '/callbackSecret'],
    ['video of Vonage', () => create({}, { video: { kind: 'unified' } }), '/video/kind'],
    ['an application', () => create({ applicationId: crypto.randomUUID() }), '/voice/applicationId'],
  ])('is rejected with %s', async (_what, request, pointer) => {
    const reply = await request();
    expect([reply.status, reply.body.reason, reply.body.errors[0].pointer]).toEqual([422, 'invalid-body', pointer]);
    expect(await countAccounts()).toBe(0);
  });
});

it.each([
  [{ video: { kind: 'janus' } }, '/video/kind'],
  [{ callbackSecret: undefined }, '/callbackSecret'],
])('an account at Vonage is rejected with %j', async (change, pointer) => {
  const body = { ...buildAccountBody('unified', createProviderCredentials()), ...change };
  const reply = await harness.request('POST', PATH, { body });
  expect([reply.status, reply.body.reason, reply.body.errors[0].pointer]).toEqual([422, 'invalid-body', pointer]);
});

describe('the rotation of a trunk account', () => {
  const rotate = (id: string, voice: object | undefined, more: object = {}) =>
    harness.request('POST', `${PATH}/${id}/rotate`, { body: { voice, ...more } });

  it('changes the password, the transport and the addresses, and keeps what is left out', async () => {
    const { body: made } = await create();
    expect((await rotate(made.id, { trunk: { password: 'new' } })).body).toMatchObject({
      version: 2,
      oldSecretsUntil: null,
      voice: made.voice,
    });
    expect((await rotate(made.id, { addresses: ['8.8.8.8'] })).body.voice).toEqual({
      ...made.voice,
      addresses: ['8.8.8.8'],
    });
    const same = { kind: 'sip', trunk: { host: 'Sip.Carrier.de:5080', transport: 'tls' } };
    expect((await rotate(made.id, same)).body.voice.trunk).toEqual({ host: 'sip.carrier.de:5080', transport: 'tls' });
    expect((await rotate(made.id, { trunk: null })).body).toMatchObject({ version: 5, voice: { trunk: null } });
  });

  it.each([
    [{ voice: { trunk: { host: 'sip.other.de' } } }, 'provider-account-differs', '/voice/trunk/host'],
    [{ voice: { addresses: ['127.0.0.1'] } }, 'trunk-address-rejected', '/voice/addresses/0'],
    [{ voice: { kind: 'vonage', addresses: ['8.8.8.8'] } }, 'provider-account-differs', '/voice/kind'],
    [{ voice: { signatureSecret: 's'.repeat(32) } }, 'provider-account-differs', '/voice/signatureSecret'],
    [{ callbackSecret: 's'.repeat(32) }, 'provider-account-differs', '/callbackSecret'],
    [{ video: { kind: 'unified', apiSecret: 'x' } }, 'provider-account-differs', '/video/kind'],
    [{ voice: { sip: { password: 'x' } } }, 'provider-account-differs', '/voice/sip/password'],
    [{ voice: { addresses: [] } }, 'invalid-body', '/voice/addresses'],
  ])('rejects %j', async (body, reason, pointer) => {
    const { body: made } = await create();
    const reply = await harness.request('POST', `${PATH}/${made.id}/rotate`, { body });
    expect([reply.status, reply.body.reason, reply.body.errors[0].pointer]).toEqual([422, reason, pointer]);
    expect((await harness.request('GET', `${PATH}/${made.id}`)).body).toEqual(made);
  });

  it('gives an account without a trunk no first one', async () => {
    const { body: made } = await create({ trunk: undefined });
    const reply = await rotate(made.id, { trunk: { host: 'sip.carrier.de' } });
    expect([reply.status, reply.body.reason]).toEqual([422, 'provider-account-differs']);
  });
});
