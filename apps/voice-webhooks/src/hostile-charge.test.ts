import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { NUMBER, PIN, startTestHarness, type TestHarness } from './testing/test-harness.ts';

/** The end of a call is stored with any times and charge in its last event. */
let harness: TestHarness;
beforeAll(async () => {
  harness = await startTestHarness();
});
afterAll(() => harness.stop());

type Ncco = { action: string; eventUrl?: string[] }[];

/**
 * Completes an admitted caller's call with these event fields; returns [status, leg state, duration
 * is plausible].
 */
async function completeCall(fields: object): Promise<unknown[]> {
  const uuid = randomUUID();
  const { body } = await harness.send('/v1/voice/answer', {
    from: '442079460011',
    to: NUMBER.slice(1),
    uuid,
    conversation_uuid: `CON-${uuid}`,
  });
  const path = new URL((body as Ncco).find(({ action }) => action === 'input')?.eventUrl?.[0] ?? '').pathname;
  await harness.send(path, { uuid, conversation_uuid: 'CON-1', dtmf: { digits: PIN, timed_out: false } });
  const { status } = await harness.send('/v1/voice/events', {
    uuid,
    status: 'completed',
    timestamp: new Date().toISOString(),
    ...fields,
  });
  const { id, state } = await harness.store.prisma.leg.findUniqueOrThrow({ where: { voice_call_id: uuid } });
  const { seconds } = await harness.store.prisma.cdr.findFirstOrThrow({ where: { leg_id: id } });
  return [status, state, seconds <= 600];
}
const ENDED = [200, 'ended', true];

test.each([
  { duration: 1e12 },
  { duration: 1e300 },
  { duration: '999999999' },
  { duration: '5', price: '99999999999999999999.1' },
  { duration: '5', price: '999999999.999999999', rate: '999999999' },
  { duration: '5', rate: '99999999999999999999.1' },
  { timestamp: -8.64e15 },
  { timestamp: '-100000-01-01T00:00:00Z' },
  { duration: '5', start_time: '-200000-01-01T00:00:00Z', end_time: '+275760-09-13T00:00:00Z' },
  { start_time: '2026-01-01T00:00:00Z', end_time: '2020-01-01T00:00:00Z', duration: '5' },
  { start_time: '2001-01-01T00:00:00Z', rate: '1' },
  { detail: 7, duration: null, price: {}, timestamp: [] },
  { timestamp: { ['__proto__']: 0 }, network: { constructor: { prototype: 0 } } },
])('a call that is completed with %j ends', async (fields) => {
  expect(await completeCall(fields)).toEqual(ENDED);
});

test('a call ends with any values in the other fields of its last event', async () => {
  const anything = fc.oneof(
    fc.double(),
    fc.integer(),
    fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }).map(String),
    fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
    fc.jsonValue(),
  );
  const hostile = fc.record(
    {
      duration: anything,
      price: anything,
      rate: anything,
      timestamp: anything,
      start_time: anything,
      end_time: anything,
      detail: anything,
      network: anything,
    },
    { requiredKeys: [] },
  );
  await fc.assert(
    fc.asyncProperty(hostile, async (fields) => {
      expect(await completeCall(fields)).toEqual(ENDED);
    }),
    { numRuns: 60 },
  );
});
