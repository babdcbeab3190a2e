import { Writable } from 'node:stream';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { seed } from '@partyline/store/tenants/seed';
import { acceptingProvider, generateKey, startTestHarness, type TestHarness } from '../testing/test-harness.ts';

let lines: string[] = [];
const log = new Writable({
  write(chunk: Buffer, _encoding, done) {
    lines.push(...chunk.toString().split('\n').filter(Boolean));
    done();
  },
});
let harness: TestHarness;
beforeAll(async () => {
  harness = await startTestHarness(() => acceptingProvider, { logTo: log });
});
afterAll(() => harness.stop());
beforeEach(() => {
  lines = [];
});

let addressNo = 0;
const send = (key: string | null, path = '/v1/rooms') =>
  harness.request('GET', path, { key, headers: { 'x-forwarded-for': `2001:db8:9:9::${++addressNo}` } });
const refusals = (): Record<string, unknown>[] =>
  lines
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter(({ msg }) => msg === 'a request was rejected');

describe('a refused request is logged once, without the key', () => {
  it('for an unknown key', async () => {
    const key = generateKey();
    const { body } = await send(key);
    expect(refusals()).toEqual([
      expect.objectContaining({
        level: 40,
        reason: 'unknown-key',
        detail: 'This API key is unknown or revoked.',
        address: `2001:db8:9:9::${addressNo}`,
        route: 'GET /v1/rooms',
        requestId: body.requestId,
        keyId: key.split('_')[2],
      }),
    ]);
    expect(lines.join()).not.toContain(key.slice(-43));
  });

  it.each([
    ['no key', null, undefined],
    ['a text that is not a key', 'hunter2-hunter2', undefined],
    ['a key with its secret in the place of its id', `pl_test_${'A'.repeat(43)}_${'B'.repeat(43)}`, undefined],
    ['an operator key', `plop_oscar_${'C'.repeat(43)}`, 'oscar'],
  ])('for %s', async (_what, key, keyId) => {
    await send(key);
    expect(refusals()).toEqual([
      expect.objectContaining({ reason: key === null ? 'missing-key' : 'unknown-key', route: 'GET /v1/rooms' }),
    ]);
    expect(refusals()[0]?.['keyId']).toBe(keyId);
    expect(lines.join()).not.toMatch(/hunter2|A{43}|B{43}|C{43}/);
  });

  it('for a missing scope', async () => {
    const key = generateKey();
    const id = key.split('_')[2] ?? '';
    await seed(harness.store, { tenantId: 'ten_ours', tenantName: 'Ours', apiKey: key, numbers: [] });
    await harness.store.prisma.api_key.update({ where: { id }, data: { scopes: ['rooms:write'] } });
    await send(key);
    expect(refusals()).toEqual([
      expect.objectContaining({
        reason: 'scope-missing',
        detail: 'This API key needs the scope rooms:read.',
        keyId: id,
      }),
    ]);
  });
});

it('an accepted request and one with other faults leave no such line', async () => {
  await send(harness.keys.ours);
  await send(harness.keys.ours, '/v1/rooms/room_none');
  expect(refusals()).toEqual([]);
});
