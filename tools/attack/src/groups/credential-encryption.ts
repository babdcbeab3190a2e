import { randomBytes } from 'node:crypto';
import {
  openAccountVault,
  type AccountVault,
  type AccountBinding,
} from '@partyline/conference/providers/account-vault';
import { localKeyService } from '@partyline/conference/crypto/key-service';
import { EVERY_TENANT, type Store } from '@partyline/store/database/store';
import { seededRandomInt } from '@partyline/testing/seeded';
import pMap from 'p-map';
import { type Group } from '../group.ts';
import type { Party } from '../target.ts';

interface CredentialEncryptionInput {
  readonly seed: number;
  /** Connects as the database's owner, like an attacker with write access to the database. */
  readonly owner: Store;
  readonly attacker: Pick<Party, 'tenantId'>;
  readonly victim: Pick<Party, 'tenantId'>;
  /** Opens the attacked vault. A test replaces it with a vault that decrypts anything. */
  readonly openVault?: (store: Store, masterKey: Buffer) => AccountVault;
}

const ENCRYPTIONS = 300;

const CREDENTIALS = {
  voice: {
    kind: 'vonage',
    apiKey: 'a1b2c3d4',
    apiSecret: 'secret',
    applicationId: '7b6a1e0c-5d3f-4a27-9c41-2f8e6d5b4a39',
    privateKey: 'key',
    signatureSecret: 's'.repeat(32),
  },
  video: { kind: 'unified' },
  callbackSecret: 'c'.repeat(32),
} as const;

const openRealVault = (store: Store, key: Buffer): AccountVault =>
  openAccountVault({ store, keys: localKeyService([{ id: 'attacked', key }]) });

/**
 * Encrypted provider account credentials that were changed, moved or cut, or whose data key was
 * replaced.
 */
export const credentialEncryption: Group<CredentialEncryptionInput> = {
  name: 'envelope-crypto',
  summary:
    'encrypted credentials of provider accounts: bits flipped, cut, moved to another tenant, account, kind or ' +
    'version, the data key swapped or flipped, another master key',
  minInputs: 1_200,
  async run({ seed, owner, victim, attacker, openVault = openRealVault }, tally) {
    const random = seededRandomInt(seed);
    const masterKey = randomBytes(32);
    const suffix = randomBytes(8).toString('hex');
    const [mine, theirs] = [`ten_mine${suffix}`, `ten_theirs${suffix}`];
    for (const id of [mine, theirs])
      await owner.prisma.tenant.create({
        data: { id, name: `Data key of ${victim.tenantId} and ${attacker.tenantId}` },
      });
    try {
      const vault = openVault(owner, masterKey);
      const binding: AccountBinding = {
        tenantId: theirs,
        accountId: 'acct_1',
        voiceKind: 'vonage',
        mediaKind: 'unified',
        version: 3,
      };
      const ciphertext = await vault.encrypt(binding, CREDENTIALS);
      await vault.encrypt({ ...binding, tenantId: mine }, CREDENTIALS);
      if (JSON.stringify(await vault.decrypt(binding, ciphertext)) !== JSON.stringify(CREDENTIALS))
        throw new Error('The vault does not decrypt its own ciphertext.');
      const decryptionFault = async (
        by: AccountVault,
        whose: AccountBinding,
        bytes: Uint8Array,
      ): Promise<string | null> =>
        by.decrypt(whose, bytes).then(
          () => 'was decrypted',
          () => null,
        );

      const inputs: [string, AccountBinding, Uint8Array][] = [];
      // Flips two bits of each byte, so that every part of the format is covered.
      for (let byte = 0; byte < ciphertext.length; byte++)
        for (const bit of [random(4), 4 + random(4)])
          inputs.push([`byte ${byte} with bit ${bit} flipped`, binding, flipBit(ciphertext, byte, bit)]);
      for (let length = 0; length < ciphertext.length; length += 1 + random(3))
        inputs.push([`cut to ${length} bytes`, binding, ciphertext.subarray(0, length)]);
      for (let cut = 1; cut <= 15; cut++)
        inputs.push([
          `a tag of ${16 - cut} bytes`,
          binding,
          Buffer.concat([ciphertext.subarray(0, -16), ciphertext.subarray(-16, -cut)]),
        ]);
      for (let more = 1; more <= 32; more++)
        inputs.push([`${more} bytes longer`, binding, Buffer.concat([ciphertext, randomBytes(more)])]);
      for (const other of otherBindings(binding, mine, random))
        inputs.push([`moved to ${JSON.stringify(other)}`, other, ciphertext]);
      for (let n = 0; n < 200; n++) inputs.push(['noise', binding, randomBytes(1 + random(600))]);
      await pMap(
        inputs,
        async ([what, whose, bytes]) => tally.record(what, await decryptionFault(vault, whose, bytes)),
        { concurrency: 4 },
      );
      for (let n = 0; n < 50; n++)
        tally.record(
          'another master key',
          await decryptionFault(openVault(owner, randomBytes(32)), binding, ciphertext),
        );

      // An attacker with write access to the database replaces the victim's data key.
      const { wrapped } = await owner.prisma.tenant_data_key.findUniqueOrThrow({ where: { tenant_id: theirs } });
      const own = await owner.prisma.tenant_data_key.findUniqueOrThrow({ where: { tenant_id: mine } });
      const storeDataKey = (bytes: Uint8Array): Promise<unknown> =>
        owner.query(EVERY_TENANT, {
          text: 'UPDATE tenant_data_key SET wrapped = $2 WHERE tenant_id = $1',
          values: [theirs, bytes],
        });
      for (const [what, bytes] of [
        ['the data key of another tenant', own.wrapped],
        ['an empty data key', Buffer.alloc(0)],
        ...Array.from(
          { length: wrapped.length },
          (_, byte) =>
            [`a data key with byte ${byte} changed`, flipBit(Buffer.from(wrapped), byte, random(8))] as const,
        ),
      ] as const) {
        await storeDataKey(bytes);
        tally.record(what, await decryptionFault(vault, binding, ciphertext));
        tally.record(
          `${what}, with its own ciphertext`,
          await decryptionFault(vault, binding, await vault.encrypt({ ...binding, tenantId: mine }, CREDENTIALS)),
        );
      }
      await storeDataKey(wrapped);
      if ((await decryptionFault(vault, binding, ciphertext)) === null)
        throw new Error('The restored data key does not decrypt its own ciphertext.');
      const nonces = new Set<string>();
      for (let n = 0; n < ENCRYPTIONS; n++)
        nonces.add((await vault.encrypt(binding, CREDENTIALS)).subarray(0, 12).toString('hex'));
      tally.record(`${ENCRYPTIONS} encryptions`, nonces.size === ENCRYPTIONS ? null : 'used a nonce twice');
    } finally {
      await owner.prisma.tenant.deleteMany({ where: { id: { in: [mine, theirs] } } });
    }
  },
};

function flipBit(bytes: Buffer, byte: number, bit: number): Buffer {
  const changed = Buffer.from(bytes);
  changed.writeUInt8(changed.readUInt8(byte) ^ (1 << bit), byte);
  return changed;
}

/** Other bindings for the same bytes: similar ones, and ones whose fields run into each other. */
function otherBindings(as: AccountBinding, mine: string, random: (below: number) => number): AccountBinding[] {
  const others: Partial<AccountBinding>[] = [
    { tenantId: mine },
    { accountId: 'acct_2' },
    { accountId: 'acct_' },
    { accountId: 'acct_1"' },
    { accountId: '' },
    { voiceKind: 'vonag' },
    { voiceKind: '' },
    { mediaKind: 'opentok' },
    { mediaKind: 'unified"' },
    { version: 2 },
    { version: 4 },
    { accountId: 'acct_1","vonage' },
    { accountId: 'acct_1","vonage","unified' },
    { voiceKind: 'vonage","unified' },
    { voiceKind: 'unified', mediaKind: 'vonage' },
    { version: -3 },
    { version: 3.5 },
    { version: Number.NaN },
  ];
  for (let n = 0; n < 150; n++)
    others.push({ version: 4 + random(1 << 20) }, { accountId: `acct_${random(1 << 30)}x` });
  return others.map((other) => ({ ...as, ...other }));
}
