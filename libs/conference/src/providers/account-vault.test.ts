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
const openVault = (...keys: [MasterKey, ...MasterKey[]]): AccountVault =>
  openAccountVault({ store, keys: localKeyService(keys) });
beforeAll(async () => {
  database = await createTestDatabase();
  store = openStore({ owner: true, url: database.url, onError: () => undefined });
  for (const id of ['ten_a', 'ten_b', 'ten_race', 'ten_rewrap'])
    await store.prisma.tenant.create({ data: { id, name: id } });
  vault = openVault(first);
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
const binding: AccountBinding = {
  tenantId: 'ten_a',
  accountId: 'acct_1',
  voiceKind: 'vonage',
  mediaKind: 'opentok',
  version: 1,
};

describe('encrypted credentials', () => {
  it('decrypt to the original, and contain no plaintext', async () => {
    const ciphertext = await vault.encrypt(binding, credentials);
    expect(await vault.decrypt(binding, ciphertext)).toEqual(credentials);
    for (const secret of ['the api secret', 'the private key', 'vonage', '46345342'])
      expect(ciphertext.includes(secret)).toBe(false);
  });

  it('do not decrypt with a flipped bit in the IV, the ciphertext or the tag', async () => {
    const ciphertext = await vault.encrypt(binding, credentials);
    const flips = Array.from({ length: ciphertext.length }, (_, byte) => [byte, byte % 8] as const);
    for (const [byte, bit] of flips) {
      const flipped = Buffer.from(ciphertext);
      flipped.writeUInt8(flipped.readUInt8(byte) ^ (1 << bit), byte);
      await expect(vault.decrypt(binding, flipped)).rejects.toThrow();
    }
  });

  it('do not decrypt when truncated or extended', async () => {
    const ciphertext = await vault.encrypt(binding, credentials);
    await fc.assert(
      fc.asyncProperty(
        fc.nat(ciphertext.length - 1),
        fc.uint8Array({ minLength: 1, maxLength: 40 }),
        async (length, more) => {
          await expect(vault.decrypt(binding, ciphertext.subarray(0, length))).rejects.toThrow();
          await expect(vault.decrypt(binding, ciphertext.subarray(ciphertext.length - length))).rejects.toThrow();
          await expect(vault.decrypt(binding, Buffer.concat([ciphertext, more]))).rejects.toThrow();
          await expect(vault.decrypt(binding, Buffer.concat([more, ciphertext]))).rejects.toThrow();
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
  ])('do not decrypt with another binding: %j', async (other) => {
    // Creates the data key of the other tenant.
    await vault.encrypt({ ...binding, tenantId: 'ten_b' }, credentials);
    const ciphertext = await vault.encrypt(binding, credentials);
    await expect(vault.decrypt({ ...binding, ...other }, ciphertext)).rejects.toThrow();
  });

  it('do not decrypt with any other binding, whose fields are encoded unambiguously', async () => {
    const name = fc.string({ maxLength: 12 });
    const anyBinding = fc.record({ accountId: name, voiceKind: name, mediaKind: name, version: fc.nat(12) });
    await fc.assert(
      fc.asyncProperty(anyBinding, anyBinding, async (one, two) => {
        fc.pre(JSON.stringify(one) !== JSON.stringify(two));
        const ciphertext = await vault.encrypt({ tenantId: 'ten_a', ...one }, credentials);
        await expect(vault.decrypt({ tenantId: 'ten_a', ...two }, ciphertext)).rejects.toThrow();
      }),
      { numRuns: 50 },
    );
  });

  it('have a new IV each time', async () => {
    const ivs = new Set<string>();
    for (let n = 0; n < 2_000; n++)
      ivs.add((await vault.encrypt(binding, credentials)).subarray(0, 12).toString('hex'));
    expect(ivs.size).toBe(2_000);
  });

  it('do not decrypt with another master key of the same id, or without master keys', async () => {
    const ciphertext = await vault.encrypt(binding, credentials);
    await expect(openVault({ id: 'first', key: randomBytes(32) }).decrypt(binding, ciphertext)).rejects.toThrow();
    await expect(openVault(second).decrypt(binding, ciphertext)).rejects.toMatchObject({
      verdict: { outcome: 'server', reason: 'master-key-missing' },
    });
    await expect(openAccountVault({ store, keys: null }).decrypt(binding, ciphertext)).rejects.toMatchObject({
      verdict: { outcome: 'server', reason: 'accounts-not-configured' },
    });
    await expect(openAccountVault({ store, keys: null }).encrypt(binding, credentials)).rejects.toMatchObject({
      verdict: { reason: 'accounts-not-configured' },
    });
  });
});

describe("a tenant's data key", () => {
  it('is created once by concurrent requests', async () => {
    const race: AccountBinding = { ...binding, tenantId: 'ten_race' };
    const ciphertexts = await Promise.all(Array.from({ length: 8 }, () => openVault(first).encrypt(race, credentials)));
    for (const ciphertext of ciphertexts) expect(await vault.decrypt(race, ciphertext)).toEqual(credentials);
    expect(await store.prisma.tenant_data_key.count({ where: { tenant_id: 'ten_race' } })).toBe(1);
  });

  it('does not unwrap for another tenant, with another master key id, or with a flipped bit', async () => {
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

  it('is rewrapped for a new master key without interruption, after which the old one can be removed', async () => {
    const rewrapBinding: AccountBinding = { ...binding, tenantId: 'ten_rewrap' };
    const ciphertext = await vault.encrypt(rewrapBinding, credentials);
    const { length: all } = await store.prisma.tenant_data_key.findMany();
    const before = await readDataKey(store, 'ten_rewrap');
    expect(await rewrapDataKeys({ store, keys: localKeyService([second, first]) })).toEqual({
      rewrapped: all,
      now: [{ keyId: 'second', keys: all }],
    });
    expect(await readDataKey(store, 'ten_rewrap')).not.toEqual(before);
    expect(await openVault(first, second).decrypt(rewrapBinding, ciphertext)).toEqual(credentials);
    expect(await openVault(second).decrypt(rewrapBinding, ciphertext)).toEqual(credentials);
    await expect(vault.decrypt(rewrapBinding, ciphertext)).rejects.toMatchObject({
      verdict: { reason: 'master-key-missing' },
    });
    // A repetition changes nothing, and the rewrap can be reversed.
    expect(await rewrapDataKeys({ store, keys: localKeyService([second]) })).toMatchObject({ rewrapped: 0 });
    expect(await rewrapDataKeys({ store, keys: localKeyService([first, second]) })).toMatchObject({ rewrapped: all });
    expect(await vault.decrypt(rewrapBinding, ciphertext)).toEqual(credentials);
    // Without the required master key it changes nothing.
    await expect(rewrapDataKeys({ store, keys: localKeyService([second]) })).rejects.toMatchObject({
      verdict: { reason: 'master-key-missing' },
    });
    expect(await vault.decrypt(rewrapBinding, ciphertext)).toEqual(credentials);
  });
});
