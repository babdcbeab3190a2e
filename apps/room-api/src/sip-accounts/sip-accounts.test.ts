import { openSipPasswords } from '@partyline/conference/sip-accounts/sip-passwords';
import { localKeyService } from '@partyline/conference/crypto/key-service';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { acceptingProvider, MASTER_KEYS, startTestHarness, type TestHarness } from '../testing/test-harness.ts';

let harness: TestHarness;
beforeAll(async () => {
  harness = await startTestHarness(() => acceptingProvider);
});
beforeEach(() => harness.store.prisma.sip_account.deleteMany());
afterAll(() => harness.stop());

const PATH = '/v1/sip-accounts';
const create = (label = 'Meeting room 3', more: object = {}) =>
  harness.request('POST', PATH, { body: { label }, ...more });

describe('a SIP account', () => {
  it('shows its password once, and stores none', async () => {
    const { status, body: made } = await create();
    expect([status, made]).toEqual([
      201,
      {
        sipAccount: {
          id: expect.stringMatching(/^sip_[\w-]{22}$/) as string,
          label: 'Meeting room 3',
          username: made.sipAccount.id,
          server: 'sip.example.com:5060',
          version: 1,
          createdAt: expect.any(String) as string,
        },
        password: expect.stringMatching(/^[\w-]{24}$/) as string,
      },
    ]);
    expect((await harness.request('GET', PATH)).body).toEqual({ sipAccounts: [made.sipAccount] });
    const rows = await harness.store.prisma.sip_account.findMany();
    expect(JSON.stringify(rows)).not.toContain(made.password);
    const { body: log } = await harness.request('GET', '/v1/audit?limit=5');
    expect(log.entries[0]).toMatchObject({ operation: 'createSipAccount' });
    expect(JSON.stringify(log)).not.toContain(made.password);
  });

  it('has another password after a rotation, which cleanup-worker derives too', async () => {
    const { body: made } = await create();
    const { body: other } = await create('Reception');
    const { status, body: rotated } = await harness.request('POST', `${PATH}/${made.sipAccount.id}/rotate`);
    expect([status, rotated.sipAccount]).toEqual([200, { ...made.sipAccount, version: 2 }]);
    expect(new Set([made.password, other.password, rotated.password]).size).toBe(3);
    const passwordOf = openSipPasswords({ store: harness.store, keys: localKeyService(MASTER_KEYS) });
    const login = { id: made.sipAccount.id as string, tenantId: 'ten_ours', version: 2 };
    expect(await passwordOf(login)).toBe(rotated.password);
  });

  it('has the same password in a repeated reply', async () => {
    const once = { headers: { 'idempotency-key': 'one phone' } };
    const [first, again] = [await create('Once', once), await create('Once', once)];
    expect([again.headers.get('idempotency-replayed'), again.body]).toEqual(['true', first.body]);
    expect(await harness.store.prisma.sip_account.count()).toBe(1);
  });

  it('is gone after it was deleted', async () => {
    const { body: made } = await create();
    const own = `${PATH}/${made.sipAccount.id}`;
    expect((await harness.request('DELETE', own)).body).toEqual({ id: made.sipAccount.id });
    for (const [method, path] of [
      ['DELETE', own],
      ['POST', `${own}/rotate`],
    ] as const) {
      const reply = await harness.request(method, path);
      expect([reply.status, reply.body.reason]).toEqual([404, 'sip-account-not-found']);
    }
    expect((await harness.request('GET', PATH)).body).toEqual({ sipAccounts: [] });
  });

  it('does not exist for another tenant, and needs the scope admin', async () => {
    const { body: made } = await create();
    const { theirs } = harness.keys;
    expect((await harness.request('GET', PATH, { key: theirs })).body).toEqual({ sipAccounts: [] });
    for (const [method, path] of [
      ['DELETE', `${PATH}/${made.sipAccount.id}`],
      ['POST', `${PATH}/${made.sipAccount.id}/rotate`],
    ] as const)
      expect((await harness.request(method, path, { key: theirs })).body.reason).toBe('sip-account-not-found');
    const { body: weak } = await harness.request('POST', '/v1/keys', {
      body: { label: 'Weak', scopes: ['rooms:write', 'calls:write', 'keys:write'] },
    });
    expect((await create('Phone', { key: weak.key })).body.reason).toBe('scope-missing');
  });

  it('is rejected above the maximum', async () => {
    await harness.store.prisma.sip_account.createMany({
      data: Array.from({ length: 100 }, (_, n) => ({ id: `sip_${n}`, tenant_id: 'ten_ours', label: 'Phone' })),
    });
    const reply = await create();
    expect([reply.status, reply.body.reason]).toEqual([409, 'too-many-sip-accounts']);
  });

  it.each([{}, { label: '' }, { label: 'Phone', password: 'own' }])('is rejected with the body %j', async (body) => {
    const reply = await harness.request('POST', PATH, { body });
    expect([reply.status, reply.body.reason]).toEqual([422, 'invalid-body']);
  });
});

it('without master keys, no SIP account is created', async () => {
  const without = await startTestHarness(() => acceptingProvider, { masterKeys: null });
  try {
    const reply = await without.request('POST', PATH, { body: { label: 'Phone' } });
    expect([reply.status, reply.body.reason]).toEqual([503, 'accounts-not-configured']);
    expect(await without.store.prisma.sip_account.count()).toBe(0);
  } finally {
    await without.stop();
  }
});

it('without SIP servers, there are no SIP accounts, trunk accounts and numbers at the SIP trunk', async () => {
  const without = await startTestHarness(() => acceptingProvider, { sipAddress: null });
  try {
    const trunkAccount = {
      label: 'Our trunk',
      voice: { kind: 'sip', addresses: ['8.8.4.4'] },
      video: { kind: 'janus' },
    };
    const providerAccountId = 'platform-sip';
    for (const [method, path, body] of [
      ['POST', PATH, { label: 'Phone' }],
      ['POST', '/v1/provider-accounts', trunkAccount],
      ['POST', '/v1/operator/numbers', { number: '+442079460006', providerAccountId }],
      ['PATCH', '/v1/operator/numbers/12025550100', { providerAccountId }],
    ] as const) {
      const reply = await without.request(method, path, { body });
      expect([path, reply.status, reply.body.reason]).toEqual([path, 503, 'sip-not-configured']);
    }
    expect((await without.request('GET', PATH)).body).toEqual({ sipAccounts: [] });
    expect(await without.store.prisma.dial_in_number.count({ where: { account_id: providerAccountId } })).toBe(0);
  } finally {
    await without.stop();
  }
});
