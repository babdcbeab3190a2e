import { randomBytes } from 'node:crypto';
import type { AccountCredentials } from '@partyline/provider-contract/account-credentials';
import { readDataKey } from '@partyline/store/provider-accounts/data-keys';
import { openStore, type Store } from '@partyline/store/database/store';
import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openAccountVault, type AccountVault, type AccountBinding } from './account-vault.ts';
import { localKeyService, type KeyService, type MasterKey } from '../crypto/key-service.ts';
import { rewrapDataKeys } from '../crypto/rewrap-data-keys.ts';

const masterKey = (id: string): MasterKey => ({ id, key: randomBytes(32) });
const [first, second] = [masterKey('first'), masterKey('second')];

let database: TestDatabase;
let store: Store;
let vault: AccountVault;
const vaultOf = (...keys: [MasterKey, ...MasterKey[]]): AccountVault =>
  openAccountVault({ store, keys: localKeyService(keys) });
beforeAll(async () => {
  database = await createTestDatabase();
  store = openStore({ owner: true, url: database.url, onError: () => undefined });
  for (const id of ['ten_a', 'ten_b', 'ten_race', 'ten_rewrap'])
    await store.prisma.tenant.create({ data: { id, name: id } });
  vault = vaultOf(first);
});
afterAll(async () => {
  await store.close();
  await database.drop();
});

const credentials: AccountCredentials = {
  voice: {
    kind: 'vonage',
    apiKey: 'a1b2c3d4',
    apiSecret: 'the api secret',
    applicationId: '7b6a1e0c-5d3f-4a27-9c41-2f8e6d5b4a39',
    privateKey: 'the private key',
    signatureSecret: 's'.repeat(32),
  },
  video: { kind: 'opentok', apiKey: '46345342', apiSecret: 'the project secret' },
  callbackSecret: 'c'.repeat(32),
};
const as: AccountBinding = {
  tenantId: 'ten_a',
  accountId: 'acct_1',
  voiceKind: 'vonage',
  mediaKind: 'opentok',
  version: 1,
};

describe('sealed credentials', () => {
  it('open as what they were sealed as, and hold nothing that can be read', async () => {
    const sealed = await vault.encrypt(as, credentials);
    expect(await vault.decrypt(as, sealed)).toEqual(credentials);
    for (const secret of ['the api secret', 'the private key', 'vonage', '46345342'])
      expect(sealed.includes(secret)).toBe(false);
  });

  it('do not open with any bit flipped: of the IV, of the text, of the tag', async () => {
    const sealed = await vault.encrypt(as, credentials);
    const flips = Array.from({ length: sealed.length }, (_, byte) => [byte, byte % 8] as const);
    for (const [byte, bit] of flips) {
      const flipped = Buffer.from(sealed);
      flipped.writeUInt8(flipped.readUInt8(byte) ^ (1 << bit), byte);
      await expect(vault.decrypt(as, flipped)).rejects.toThrow();
    }
  });

  it('do not open when any of them is cut off, or anything was put to them', async () => {
    const sealed = await vault.encrypt(as, credentials);
    await fc.assert(
      fc.asyncProperty(
        fc.nat(sealed.length - 1),
        fc.uint8Array({ minLength: 1, maxLength: 40 }),
        async (length, more) => {
          await expect(vault.decrypt(as, sealed.subarray(0, length))).rejects.toThrow();
          await expect(vault.decrypt(as, sealed.subarray(sealed.length - length))).rejects.toThrow();
          await expect(vault.decrypt(as, Buffer.concat([sealed, more]))).rejects.toThrow();
          await expect(vault.decrypt(as, Buffer.concat([more, sealed]))).rejects.toThrow();
        },
      ),
      { numRuns: 50 },
    );
  });

  it.each<Partial<AccountBinding>>([
    { tenantId: 'ten_b' },
    { accountId: 'acct_2' },
    { voiceKind: 'janus' },
    { mediaKind: 'unified' },
    { version: 2 },
    { version: 0 },
  ])('do not open as another: %j', async (other) => {
    // The other tenant has a data key of its own.
    await vault.encrypt({ ...as, tenantId: 'ten_b' }, credentials);
    const sealed = await vault.encrypt(as, credentials);
    await expect(vault.decrypt({ ...as, ...other }, sealed)).rejects.toThrow();
  });

  it('do not open as another, whatever the names are: none of them runs into the next', async () => {
    const name = fc.string({ maxLength: 12 });
    const whose = fc.record({ accountId: name, voiceKind: name, mediaKind: name, version: fc.nat(12) });
    await fc.assert(
      fc.asyncProperty(whose, whose, async (one, two) => {
        fc.pre(JSON.stringify(one) !== JSON.stringify(two));
        const sealed = await vault.encrypt({ tenantId: 'ten_a', ...one }, credentials);
        await expect(vault.decrypt({ tenantId: 'ten_a', ...two }, sealed)).rejects.toThrow();
      }),
      { numRuns: 50 },
    );
  });

  it('have an IV of their own each time', async () => {
    const drawn = new Set<string>();
    for (let n = 0; n < 2_000; n++) drawn.add((await vault.encrypt(as, credentials)).subarray(0, 12).toString('hex'));
    expect(drawn.size).toBe(2_000);
  });

  it('do not open with another master key of the same name, nor with none', async () => {
    const sealed = await vault.encrypt(as, credentials);
    await expect(vaultOf({ id: 'first', key: randomBytes(32) }).decrypt(as, sealed)).rejects.toThrow();
    await expect(vaultOf(second).decrypt(as, sealed)).rejects.toMatchObject({
      verdict: { outcome: 'server', reason: 'master-key-missing' },
    });
    await expect(openAccountVault({ store, keys: null }).decrypt(as, sealed)).rejects.toMatchObject({
      verdict: { outcome: 'server', reason: 'accounts-not-configured' },
    });
    await expect(openAccountVault({ store, keys: null }).encrypt(as, credentials)).rejects.toMatchObject({
      verdict: { reason: 'accounts-not-configured' },
    });
  });
});

describe('a tenant’s data key', () => {
  it('is one, however many make it at once', async () => {
    const race: AccountBinding = { ...as, tenantId: 'ten_race' };
    const sealed = await Promise.all(Array.from({ length: 8 }, () => vaultOf(first).encrypt(race, credentials)));
    for (const each of sealed) expect(await vault.decrypt(race, each)).toEqual(credentials);
    expect(await store.prisma.tenant_data_key.count({ where: { tenant_id: 'ten_race' } })).toBe(1);
  });

  it('does not unwrap as another tenant’s, by another name of the master key, or with a bit flipped', async () => {
    const keys: KeyService = localKeyService([first, second]);
    const wrapped = await keys.wrap(randomBytes(32), 'ten_a');
    await expect(keys.unwrap(wrapped, 'ten_b')).rejects.toThrow();
    await expect(keys.unwrap({ ...wrapped, keyId: 'second' }, 'ten_a')).rejects.toThrow();
    for (let byte = 0; byte < wrapped.wrapped.length; byte++) {
      const flipped = Buffer.from(wrapped.wrapped);
      flipped.writeUInt8(flipped.readUInt8(byte) ^ 1, byte);
      await expect(keys.unwrap({ ...wrapped, wrapped: flipped }, 'ten_a')).rejects.toThrow();
    }
  });

  it('is wrapped anew for a new master key, while who has both goes on; then the old one can be taken out', async () => {
    const whose: AccountBinding = { ...as, tenantId: 'ten_rewrap' };
    const sealed = await vault.encrypt(whose, credentials);
    const { length: all } = await store.prisma.tenant_data_key.findMany();
    const before = await readDataKey(store, 'ten_rewrap');
    expect(await rewrapDataKeys({ store, keys: localKeyService([second, first]) })).toEqual({
      rewrapped: all,
      now: [{ keyId: 'second', keys: all }],
    });
    expect(await readDataKey(store, 'ten_rewrap')).not.toEqual(before);
    expect(await vaultOf(first, second).decrypt(whose, sealed)).toEqual(credentials);
    expect(await vaultOf(second).decrypt(whose, sealed)).toEqual(credentials);
    await expect(vault.decrypt(whose, sealed)).rejects.toMatchObject({ verdict: { reason: 'master-key-missing' } });
    // Again, and back.
    expect(await rewrapDataKeys({ store, keys: localKeyService([second]) })).toMatchObject({ rewrapped: 0 });
    expect(await rewrapDataKeys({ store, keys: localKeyService([first, second]) })).toMatchObject({ rewrapped: all });
    expect(await vault.decrypt(whose, sealed)).toEqual(credentials);
    // Without the one that it needs it changes nothing.
    await expect(rewrapDataKeys({ store, keys: localKeyService([second]) })).rejects.toMatchObject({
      verdict: { reason: 'master-key-missing' },
    });
    expect(await vault.decrypt(whose, sealed)).toEqual(credentials);
  });
});
