import { readFile } from 'node:fs/promises';
import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ATTACK, PLAYED_CLOCK, SCRIPT } from '../testing/simulated-calls.ts';

/*
 * Attacks on the PINs of one number, run against the SQL functions of the webhooks on a simulated
 * clock. The figures in docs/fraud.md are compared with the results.
 */

/** Ten thousand guesses, in calls of three attempts. */
const GUESSES = 10_000;
const TRIES = 3;
/** Ten concurrent calls, 25 seconds each. */
const CALL_S = 25;
const LINES = 10;
const DAY_S = 86_400;
const NUMBER = '+442079460000';

let database: TestDatabase;
let client: pg.Client;
beforeAll(async () => {
  database = await createTestDatabase();
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
  for (const sql of [PLAYED_CLOCK, ATTACK, SCRIPT]) await client.query(sql);
  await client.query(`INSERT INTO tenant (id, name) VALUES ('ten', 'Tenant')`);
});
afterAll(async () => {
  await client.end();
  await database.drop();
});

/**
 * Creates a number with live PINs, the first one valid. Returns the wrong PINs that are allowed in
 * a day.
 */
async function prepare(pins: number, digits: number, number = NUMBER, lines = LINES): Promise<number> {
  await client.query('INSERT INTO dial_in_number (e164, max_unadmitted) VALUES ($1, $2)', [number, lines]);
  await client.query(
    `INSERT INTO room (id, tenant_id, name, number, max_participants, max_duration_s)
     VALUES ('room' || $1, 'ten', 'Room', $1, 100000, 360000)`,
    [number],
  );
  await client.query(
    `INSERT INTO pin (id, tenant_id, room_id, number, lookup, ciphertext, digits)
     SELECT 'pin' || $1 || n, 'ten', 'room' || $1, $1,
       CASE n WHEN 1 THEN '\\x01' ELSE decode(md5(n::text), 'hex') END, '', $2
     FROM generate_series(1, $3::int) AS n`,
    [number, digits, pins],
  );
  await client.query('ANALYZE pin');
  const { rows } = await client.query<{ budget: number }>('SELECT floor(0.001 / pin_guess_odds($1))::int AS budget', [
    number,
  ]);
  return rows.at(0)!.budget;
}

/** Deletes everything, for the next attack on `NUMBER`. */
const reset = (): Promise<unknown> => client.query('TRUNCATE dial_in_number, room, leg, pin, webhook_jti CASCADE');

const runPlay = async <Found>(name: string, ...values: unknown[]): Promise<Found> => {
  const { rows } = await client.query<{ found: Found }>({
    name,
    text: `SELECT ${name}(${values.map((_, at) => `$${at + 1}`).join(', ')}) AS found`,
    values,
  });
  return rows.at(0)!.found;
};

/** The probability of at least one right guess. No PIN has two equal digits in a row. */
const odds = (pins: number, digits: number, guesses: number): number =>
  1 - (1 - pins / (10 * 9 ** (digits - 1))) ** guesses;

const page = (await readFile(new URL('../../../../docs/fraud.md', import.meta.url), 'utf8'))
  .split('\n')
  .map((line) => line.replaceAll(/ +\| */g, ' | ').trim());
function expectRow(...cells: (number | string)[]): void {
  const texts = cells.map((cell) => (typeof cell === 'number' ? cell.toLocaleString('en-US') : cell));
  const row = `| ${texts.join(' | ')} |`;
  expect(page.includes(row), `docs/fraud.md must contain the line ${row}`).toBe(true);
}

it.each([
  [1, 6, 1],
  [1, 6, 50],
  [1, 6, 5_000],
  [86, 9, 5_000],
])(
  'docs/fraud.md has the figures of 10,000 guesses on %s PINs of %s digits from %s caller ids',
  async (pins, digits, callerIds) => {
    await reset();
    const budget = await prepare(pins, digits);
    const calls = Math.ceil(GUESSES / TRIES);
    let tried = 0;
    // In several statements, so that ended calls do not slow down the next ones.
    for (let first = 0; first < calls; first += 20 * LINES)
      tried += (
        await runPlay<{ tried: number }>('play_guesses', NUMBER, first, Math.min(calls, first + 20 * LINES), callerIds)
      ).tried;
    expect(tried).toBeLessThanOrEqual(budget);
    expect(odds(pins, digits, tried)).toBeLessThanOrEqual(0.001);
    expectRow(pins, digits, budget, callerIds, tried, odds(pins, digits, tried).toFixed(6));
  },
);

it.each([
  [1, 6],
  [86, 9],
])('docs/fraud.md has the worst 24 hours of a 26-hour attack on %s PINs of %s digits', async (pins, digits) => {
  await reset();
  const budget = await prepare(pins, digits);
  // The attacker knows a thousand caller ids of known callers.
  await client.query(
    `INSERT INTO leg (id, kind, state, number, remote, last_outcome, created_at, deadline_at)
       SELECT 'known' || n, 'inbound', 'ended', $1, '+4477' || lpad(n::text, 8, '0'), 'admitted', '2029-12-25Z', now()
       FROM generate_series(0, 999) AS n`,
    [NUMBER],
  );
  for (let from = 0; from < DAY_S + 7_200; from += 300) await runPlay('play_day', NUMBER, from, from + 300, 0);
  const { rows } = await client.query<{ fast: number; strangers: number; known: number; all: number }>(
    `SELECT fast, strangers, known, all_of_them AS all FROM worst_day('${NUMBER}')`,
  );
  const { fast, strangers, known, all } = rows.at(0)!;
  expect(all).toBeLessThanOrEqual(budget);
  expect(odds(pins, digits, all)).toBeLessThanOrEqual(0.001);
  expectRow(pins, digits, budget, fast, strangers, known, odds(pins, digits, all).toFixed(6));
});

it('docs/fraud.md has the worst 30 days of a 40-day attack on one PIN of six digits', async () => {
  await reset();
  await prepare(1, 6);
  await client.query(
    `INSERT INTO leg (id, kind, state, number, remote, last_outcome, created_at, deadline_at)
     SELECT 'known' || n, 'inbound', 'ended', $1, '+4477' || lpad(n::text, 8, '0'), 'admitted',
       timestamptz '2029-12-25Z' + make_interval(days => 20 * (n % 3)), now()
     FROM generate_series(0, 999) AS n`,
    [NUMBER],
  );
  // A round every ten minutes: in slow mode a number accepts no more than one unknown caller in
  // that time.
  for (let from = 0; from < 40 * DAY_S; from += DAY_S / 4)
    await runPlay('play_day', NUMBER, from, from + DAY_S / 4, 600);
  const { rows } = await client.query<{ tried: number }>(`SELECT worst_month('${NUMBER}') AS tried`);
  const { tried } = rows.at(0)!;
  expect(odds(1, 6, tried)).toBeLessThanOrEqual(0.005);
  expectRow(1, 6, Math.floor(0.005 * 10 * 9 ** 5), tried, odds(1, 6, tried).toFixed(6));
}, 300_000);

it('docs/fraud.md has the figures of a day of guesses on one PIN of nine digits', async () => {
  await reset();
  const budget = await prepare(1, 9);
  const calls = (DAY_S / CALL_S) * LINES;
  // Inserts all calls but the last, as the functions would have stored them.
  await client.query(
    `INSERT INTO leg (
       id, kind, state, number, remote, tries, last_outcome, created_at, last_wrong_pin_at, pin_guess_odds,
       deadline_at, ended_at
     )
     SELECT 'past' || n, 'inbound', 'ended', $1, '+4478' || lpad(n::text, 8, '0'), ${TRIES}, 'refused', at, at,
       ${TRIES} * each, at, at
     FROM pin_guess_odds($1) AS each, generate_series(1, $2::int) AS n,
       LATERAL (
         SELECT timestamptz '2030-01-01Z' - make_interval(secs => ${CALL_S} * ceil(n / ${LINES}.0))
       ) AS row (at)`,
    [NUMBER, calls - LINES],
  );
  expect((await runPlay<{ tried: number }>('play_guesses', NUMBER, 0, LINES, 5_000)).tried).toBe(LINES * TRIES);
  const tried = calls * TRIES;
  expectRow(1, 9, budget, tried, 0, 0, odds(1, 9, tried).toFixed(6));
});

it.each([
  [1, 6],
  [86, 9],
  [774, 10],
  [1_000, 9],
])('docs/fraud.md has the delay for unknown callers in slow mode with %s PINs of %s digits', async (pins, digits) => {
  await reset();
  const budget = await prepare(pins, digits);
  const { atOnce, waitS } = await runPlay<{ atOnce: number; waitS: number }>('play_strangers', NUMBER);
  const aDay = Math.floor(DAY_S / waitS) * atOnce;
  expect(aDay).toBeLessThanOrEqual(budget / 4);
  expectRow(pins, digits, budget, atOnce, `${(waitS / 60).toFixed(1)} minutes`, aDay, Math.floor(budget / 4));
});

const who = fc.constantFrom('stranger', 'regular', 'withheld');
const step = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('storm'),
      who,
      rounds: fc.integer({ min: 1, max: 15 }),
      s: fc.constantFrom(0, 1, 25, 35, 300, 900),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('call'), who, n: fc.integer({ min: 1, max: 12 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('wrong', 'no-pin', 'right', 'hang-up'),
      n: fc.integer({ min: 1, max: 12 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('pass'),
      s: fc.oneof(
        fc.integer({ min: 1, max: 120 }),
        fc.integer({ min: 600, max: 7_200 }),
        fc.integer({ min: 36_000, max: 90_000 }),
      ),
    }),
  },
);

it('any mix of callers stays within the budget of 24 hours, and a right PIN is always admitted', async () => {
  let number = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 5, maxLength: 30 }),
      fc.constantFrom(100, 200, 400),
      fc.constantFrom(1, 4, 10, 30),
      async (steps, pins, lines) => {
        number += 1;
        const e164 = `+4420${String(number).padStart(8, '0')}`;
        // A smaller budget than allocated PINs ever have, so that it is used up soon.
        const budget = await prepare(pins, 8, e164, lines);
        const { most, refused, waited, month } = await runPlay<{
          most: number;
          refused: number;
          waited: number;
          /** The odds of the 30 days. */
          month: number;
        }>('play_script', e164, number, JSON.stringify(steps));
        expect(most).toBeLessThanOrEqual(budget);
        expect(refused).toBe(0);
        // The delay of an unknown caller after all others are gone.
        const isMonthUsed = month + (lines * TRIES * 0.001) / budget > 0.0025;
        const aDay = isMonthUsed ? (budget * (0.0025 / 60)) / 0.001 : budget / 4;
        expect(waited).toBeLessThan(DAY_S / Math.floor(aDay) + 11);
      },
    ),
    { numRuns: 40, ...(process.env['SEED'] === undefined ? {} : { seed: Number(process.env['SEED']) }) },
  );
});
