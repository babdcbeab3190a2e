import { randomBytes } from 'node:crypto';
import { openAccountVault, type AccountVault, type AccountBinding } from '@partyline/conference/providers/account-vault';
import { localKeyService } from '@partyline/conference/crypto/key-service';
import { EVERY_TENANT, type Store } from '@partyline/store/database/store';
import { seededRandomInt } from '@partyline/testing/seeded';
import { inParallel, type Group } from '../group.ts';
import type { Party } from '../target.ts';

interface Sealed {
  readonly seed: number;
  /** As the database's owner, to write what an attacker with the database would. */
  readonly owner: Store;
  readonly attacker: Pick<Party, 'tenantId'>;
  readonly victim: Pick<Party, 'tenantId'>;
  /** What is attacked; a test gives one that opens anything. */
  readonly openVault?: (store: Store, masterKey: Buffer) => AccountVault;
}

const SEALINGS = 300;

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

const realVault = (store: Store, key: Buffer): AccountVault =>
  openAccountVault({ store, keys: localKeyService([{ id: 'attacked', key }]) });

/** Credentials of provider accounts that were changed, moved, cut, or whose data key was. */
export const accountCredentials: Group<Sealed> = {
  name: 'envelope-crypto',
  says: 'credentials of provider accounts: bits flipped, cut, moved to another tenant, account, kind or version, the data key swapped or flipped, another master key',
  least: 1_200,
  async run({ seed, owner, victim, attacker, openVault = realVault }, tally) {
    const random = seededRandomInt(seed);
    const masterKey = randomBytes(32);
    const suffix = randomBytes(8).toString('hex');
    const [mine, theirs] = [`ten_mine${suffix}`, `ten_theirs${suffix}`];
    for (const id of [mine, theirs])
      await owner.prisma.tenant.create({
        data: { id, name: `${victim.tenantId} and ${attacker.tenantId}, for keys of their own` },
      });
    try {
      const vault = openVault(owner, masterKey);
      const as: AccountBinding = {
        tenantId: theirs,
        accountId: 'acct_1',
        voiceKind: 'vonage',
        mediaKind: 'unified',
        version: 3,
      };
      const sealed = await vault.encrypt(as, CREDENTIALS);
      await vault.encrypt({ ...as, tenantId: mine }, CREDENTIALS);
      if ((await vault.decrypt(as, sealed)).callbackSecret !== CREDENTIALS.callbackSecret)
        throw new Error('What was sealed does not open.');
      const opens = async (by: AccountVault, whose: AccountBinding, bytes: Uint8Array): Promise<string | null> =>
        by.decrypt(whose, bytes).then(
          () => 'opened',
          () => null,
        );

      const inputs: [string, AccountBinding, Uint8Array][] = [];
      // Two of each byte's bits, so that every region is met.
      for (let byte = 0; byte < sealed.length; byte++)
        for (const bit of [random(4), 4 + random(4)])
          inputs.push([`byte ${byte} with bit ${bit} flipped`, as, flipped(sealed, byte, bit)]);
      for (let length = 0; length < sealed.length; length += 1 + random(3))
        inputs.push([`cut to ${length} bytes`, as, sealed.subarray(0, length)]);
      for (let cut = 1; cut <= 15; cut++)
        inputs.push([
          `a tag of ${16 - cut} bytes`,
          as,
          Buffer.concat([sealed.subarray(0, -16), sealed.subarray(-16, -cut)]),
        ]);
      for (let more = 1; more <= 32; more++)
        inputs.push([`${more} bytes longer`, as, Buffer.concat([sealed, randomBytes(more)])]);
      for (const other of moved(as, mine, random)) inputs.push([`moved to ${JSON.stringify(other)}`, other, sealed]);
      for (let n = 0; n < 200; n++) inputs.push(['noise', as, randomBytes(1 + random(600))]);
      await inParallel(inputs, 4, async ([what, whose, bytes]) => tally.judge(what, await opens(vault, whose, bytes)));
      for (let n = 0; n < 50; n++)
        tally.judge('another master key', await opens(openVault(owner, randomBytes(32)), as, sealed));

      // Who writes to the database puts its own data key, or a changed one, in the victim's place.
      const { wrapped } = await owner.prisma.tenant_data_key.findUniqueOrThrow({ where: { tenant_id: theirs } });
      const own = await owner.prisma.tenant_data_key.findUniqueOrThrow({ where: { tenant_id: mine } });
      const putKey = (bytes: Uint8Array): Promise<unknown> =>
        owner.query(EVERY_TENANT, {
          text: 'UPDATE tenant_data_key SET wrapped = $2 WHERE tenant_id = $1',
          values: [theirs, bytes],
        });
      for (const [what, bytes] of [
        ['another tenant’s data key', own.wrapped],
        ['an empty data key', Buffer.alloc(0)],
        ...Array.from(
          { length: wrapped.length },
          (_, byte) =>
            [`a data key with byte ${byte} changed`, flipped(Buffer.from(wrapped), byte, random(8))] as const,
        ),
      ] as const) {
        await putKey(bytes);
        tally.judge(what, await opens(vault, as, sealed));
        tally.judge(
          `${what}, and what its owner sealed`,
          await opens(vault, as, await vault.encrypt({ ...as, tenantId: mine }, CREDENTIALS)),
        );
      }
      await putKey(wrapped);
      if ((await opens(vault, as, sealed)) === null)
        throw new Error('The data key that was put back does not open what it sealed.');
      const nonces = new Set<string>();
      for (let n = 0; n < SEALINGS; n++)
        nonces.add((await vault.encrypt(as, CREDENTIALS)).subarray(0, 12).toString('hex'));
      tally.judge(`${SEALINGS} sealings`, nonces.size === SEALINGS ? null : 'used a nonce twice');
    } finally {
      await owner.prisma.tenant.deleteMany({ where: { id: { in: [mine, theirs] } } });
    }
  },
};

function flipped(bytes: Buffer, byte: number, bit: number): Buffer {
  const changed = Buffer.from(bytes);
  changed.writeUInt8(changed.readUInt8(byte) ^ (1 << bit), byte);
  return changed;
}

/** What else the same bytes could be said to be: near to it, and made so that its parts run into each other. */
function moved(as: AccountBinding, mine: string, random: (below: number) => number): AccountBinding[] {
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
