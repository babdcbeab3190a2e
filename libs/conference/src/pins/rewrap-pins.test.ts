import { randomBytes } from 'node:crypto';
import { systemRandomInt } from '@partyline/runtime/system';
import { admitCaller, answerCaller } from '@partyline/store/callers/voice-webhooks';
import { inTransaction, openStore, type Store } from '@partyline/store/database/store';
import { freshId, freshIds, freshToken, makeNumbers, makeRoom, NUMBER } from '@partyline/store/testing/fixtures';
import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { allocatePins } from './allocate-pins.ts';
import { openPinVault, type PinVault } from './pin-vault.ts';
import { rewrapPins } from './rewrap-pins.ts';

let database: TestDatabase;
let store: Store;
beforeAll(async () => {
  database = await createTestDatabase();
  store = openStore({ owner: true, url: database.url, onError: () => undefined });
  await makeNumbers(store);
});
beforeEach(() => store.prisma.pin.deleteMany());
afterAll(async () => {
  await store.close();
  await database.drop();
});

const [oldKey, newKey] = [randomBytes(32), randomBytes(32)];
/** The rings of the services, in the order in which an operator deploys them. */
const [onlyOld, added, swapped, onlyNew] = [[oldKey], [oldKey, newKey], [newKey, oldKey], [newKey]].map(
  openPinVault,
) as [PinVault, PinVault, PinVault, PinVault];

async function allocate(vault: PinVault, count = 1): Promise<string[]> {
  const { roomId, tenantId } = await makeRoom(store, { max_participants: 1_000 });
  await store.prisma.pin.deleteMany({ where: { room_id: roomId } });
  const deps = { ids: { next: freshId }, pins: vault, random: systemRandomInt };
  const allocated = await inTransaction(store, tenantId, (tx) =>
    allocatePins(
      deps,
      tx,
      tenantId,
      { roomId, number: NUMBER },
      Array.from({ length: count }, () => ({ role: 'participant' as const })),
    ),
  );
  return allocated.map(({ pin }) => pin);
}

/** The outcome of a call in which this PIN is keyed, to a service with these keys. */
async function callWith(vault: PinVault, pin: string): Promise<string> {
  const callId = freshId('call');
  const { leg_id: legId } = await answerCaller(
    store,
    freshToken(),
    { legId: freshId('leg'), callId, number: NUMBER, remote: null },
    freshIds(),
  );
  const entry = { legId: legId!, callId, tryNo: 1, lookups: vault.lookups(pin) };
  return (await admitCaller(store, freshToken(), entry, freshIds())).outcome;
}

const readPins = async (): Promise<Map<string, Buffer>> =>
  new Map(
    (await store.prisma.pin.findMany()).map(({ id, ciphertext, lookup }) => [
      `${id} ${onlyNew.decrypt(ciphertext, id)}`,
      Buffer.from(lookup),
    ]),
  );

it('admits callers before, while and after PINs move to a new key, and only then without the old one', async () => {
  const pins = [...(await allocate(onlyOld, 300)), ...(await allocate(added)), ...(await allocate(swapped))];
  const [first, middle, last] = [pins.at(0)!, pins.at(300)!, pins.at(301)!];
  expect(await callWith(onlyNew, first)).toBe('wrong-pin');

  const done = new AbortController();
  const outcomes: string[] = [];
  const keepCalling = async (vault: PinVault): Promise<void> => {
    do {
      for (const pin of [first, middle, last]) outcomes.push(await callWith(vault, pin));
    } while (!done.signal.aborted);
  };
  const callers = [added, swapped].map(keepCalling);
  expect(await rewrapPins(store, [newKey, oldKey])).toEqual({ rewrapped: 301, unreadable: 0 });
  done.abort();
  await Promise.all(callers);
  expect(new Set(outcomes)).toEqual(new Set(['admitted']));

  for (const pin of [first, middle, last]) expect(await callWith(onlyNew, pin)).toBe('admitted');
  expect([...(await readPins()).keys()].map((each) => each.split(' ')[1]).toSorted()).toEqual(pins.toSorted());
  expect(await rewrapPins(store, [newKey])).toEqual({ rewrapped: 0, unreadable: 0 });
});

it('moves PINs in quarantine too, and the look-ups of beginnings', async () => {
  const pin = (await allocate(onlyOld)).at(0)!;
  await store.prisma.pin.updateMany({ data: { quarantined_until: new Date('2099-01-01') } });
  expect(await rewrapPins(store, [newKey, oldKey])).toEqual({ rewrapped: 1, unreadable: 0 });
  expect(await store.prisma.pin.findFirstOrThrow()).toMatchObject({
    lookup: new Uint8Array(onlyNew.lookups(pin)[0]),
    head: new Uint8Array(onlyNew.lookups(pin.slice(0, 6))[0]),
  });
});

it('counts PINs of an unknown key and leaves them unchanged', async () => {
  const pin = (await allocate(openPinVault([randomBytes(32)]))).at(0)!;
  const before = await store.prisma.pin.findFirstOrThrow();
  expect(await rewrapPins(store, [newKey, oldKey])).toEqual({ rewrapped: 0, unreadable: 1 });
  expect(await store.prisma.pin.findFirstOrThrow()).toEqual(before);
  expect(await callWith(swapped, pin)).toBe('wrong-pin');
});
