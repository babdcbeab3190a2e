import { readFile } from 'node:fs/promises';
import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ATTACK, PLAYED_CLOCK, SCRIPT } from '../testing/played-calls.ts';

/*
 * Attacks on the PINs of one number, played against the webhooks' own functions, on a clock that the play moves. docs/fraud.md has what comes of them, and
 * what this file finds is held against it.
 */

/** Ten thousand guesses, in calls of three (reliability.md §4). */
const GUESSES = 10_000;
const TRIES = 3;
/** A call is 25 seconds long, and ten are on the line at a time. */
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

/** A number with so many live PINs, of which the first is that of a room; answers how many wrong PINs may be keyed on it in a day. */
async function prepare(pins: number, digits: number, number = NUMBER, lines = LINES): Promise<number> {
  await client.query('INSERT INTO dial_in_number (e164, max_unadmitted) VALUES ($1, $2)', [number, lines]);
  await client.query(
    `INSERT INTO room (id, tenant_id, name, number, max_participants, max_duration_s) VALUES ('room' || $1, 'ten', 'Room', $1, 100000, 360000)`,
    [number],
  );
  await client.query(
    `INSERT INTO pin (id, tenant_id, room_id, number, lookup, sealed, digits) SELECT 'pin' || $1 || n, 'ten', 'room' || $1, $1, CASE n WHEN 1 THEN '\\x01' ELSE decode(md5(n::text), 'hex') END, '', $2 FROM generate_series(1, $3::int) AS n`,
    [number, digits, pins],
  );
  await client.query('ANALYZE pin');
  const { rows } = await client.query<{ budget: number }>('SELECT floor(0.001 / pin_guess_odds($1))::int AS budget', [
    number,
  ]);
  return rows.at(0)!.budget;
}

/** Starts anew, for plays on `NUMBER`. */
const clear = (): Promise<unknown> => client.query('TRUNCATE dial_in_number, room, leg, pin, webhook_jti CASCADE');

const play = async <Found>(name: string, ...values: unknown[]): Promise<Found> => {
  const { rows } = await client.query<{ found: Found }>({
    name,
    text: `SELECT ${name}(${values.map((_, at) => `$${at + 1}`).join(', ')}) AS found`,
    values,
  });
  return rows.at(0)!.found;
};

/** That at least one of so many guesses was right, whichever they were: no PIN has two equal neighbours. */
const odds = (pins: number, digits: number, guesses: number): number =>
  1 - (1 - pins / (10 * 9 ** (digits - 1))) ** guesses;

const page = (await readFile(new URL('../../../../docs/fraud.md', import.meta.url), 'utf8'))
  .split('\n')
  .map((line) => line.replaceAll(/ +\| */g, ' | ').trim());
function expectRow(...cells: (number | string)[]): void {
  const row = `| ${cells.map((cell) => (typeof cell === 'number' ? cell.toLocaleString('en-US') : cell)).join(' | ')} |`;
  expect(page.includes(row), `docs/fraud.md has the line ${row}`).toBe(true);
}

it.each([
  [1, 6, 1],
  [1, 6, 50],
  [1, 6, 5_000],
  [86, 9, 5_000],
])(
  '%s PINs of %s digits, guessed at ten thousand times from %s caller ids: docs/fraud.md says how often, and with what odds',
  async (pins, digits, callerIds) => {
    await clear();
    const budget = await prepare(pins, digits);
    const calls = Math.ceil(GUESSES / TRIES);
    let tried = 0;
    // In pieces: what is over in one of them is out of the next one's way.
    for (let first = 0; first < calls; first += 20 * LINES)
      tried += (
        await play<{ tried: number }>('play_guesses', NUMBER, first, Math.min(calls, first + 20 * LINES), callerIds)
      ).tried;
    expect(tried).toBeLessThanOrEqual(budget);
    expect(odds(pins, digits, tried)).toBeLessThanOrEqual(0.001);
    expectRow(pins, digits, budget, callerIds, tried, odds(pins, digits, tried).toFixed(6));
  },
);

it.each([
  [1, 6],
  [86, 9],
])(
  '%s PINs of %s digits, guessed at for 26 hours: docs/fraud.md says what the worst 24 hours come to',
  async (pins, digits) => {
    await clear();
    const budget = await prepare(pins, digits);
    // Whoever guesses has found out a thousand caller ids of people who were let in.
    await client.query(
      `INSERT INTO leg (id, kind, state, number, remote, last_outcome, created_at, deadline_at) SELECT 'known' || n, 'inbound', 'ended', $1, '+4477' || lpad(n::text, 8, '0'), 'admitted', '2029-12-25Z', now() FROM generate_series(0, 999) AS n`,
      [NUMBER],
    );
    for (let from = 0; from < DAY_S + 7_200; from += 300) await play('play_day', NUMBER, from, from + 300);
    const { rows } = await client.query<{ fast: number; strangers: number; known: number; all: number }>(
      `SELECT fast, strangers, known, all_of_them AS all FROM worst_day('${NUMBER}')`,
    );
    const { fast, strangers, known, all } = rows.at(0)!;
    expect(all).toBeLessThanOrEqual(budget);
    expect(odds(pins, digits, all)).toBeLessThanOrEqual(0.001);
    expectRow(pins, digits, budget, fast, strangers, known, odds(pins, digits, all).toFixed(6));
  },
);

it('one PIN of nine digits, guessed at for a day: the lines are too few to use up what the number can take', async () => {
  await clear();
  const budget = await prepare(1, 9);
  const calls = (DAY_S / CALL_S) * LINES;
  // All but the last of them, as they would have been written down.
  await client.query(
    `INSERT INTO leg (id, kind, state, number, remote, tries, last_outcome, created_at, last_wrong_pin_at, pin_guess_odds, deadline_at, ended_at)
     SELECT 'told' || n, 'inbound', 'ended', $1, '+4478' || lpad(n::text, 8, '0'), ${TRIES}, 'refused', at, at, ${TRIES} * each, at, at
     FROM pin_guess_odds($1) AS each, generate_series(1, $2::int) AS n, LATERAL (SELECT timestamptz '2030-01-01Z' - make_interval(secs => ${CALL_S} * ceil(n / ${LINES}.0))) AS row (at)`,
    [NUMBER, calls - LINES],
  );
  expect((await play<{ tried: number }>('play_guesses', NUMBER, 0, LINES, 5_000)).tried).toBe(LINES * TRIES);
  const tried = calls * TRIES;
  expectRow(1, 9, budget, tried, 0, 0, odds(1, 9, tried).toFixed(6));
});

it.each([
  [1, 6],
  [86, 9],
  [774, 10],
  [1_000, 9],
])('%s PINs of %s digits: docs/fraud.md says what slow mode means for people', async (pins, digits) => {
  await clear();
  const budget = await prepare(pins, digits);
  const { atOnce, waitS } = await play<{ atOnce: number; waitS: number }>('play_strangers', NUMBER);
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

it('however strangers, regular callers and those who withhold their number call, key and wait: no 24 hours hold more wrong PINs than may be, who is asked gets in by a right one, and nobody is locked out', async () => {
  let number = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 5, maxLength: 30 }),
      fc.constantFrom(100, 200, 400),
      fc.constantFrom(1, 4, 10, 30),
      async (steps, pins, lines) => {
        number += 1;
        const e164 = `+4420${String(number).padStart(8, '0')}`;
        // Fewer wrong PINs than any number can take that has PINs by the rule, so that they are soon used up.
        const budget = await prepare(pins, 8, e164, lines);
        const { most, refused, waited } = await play<{ most: number; refused: number; waited: number }>(
          'play_script',
          e164,
          number,
          JSON.stringify(steps),
        );
        expect(most).toBeLessThanOrEqual(budget);
        expect(refused).toBe(0);
        // A stranger, as soon as those who were asked are gone.
        expect(waited).toBeLessThan(DAY_S / Math.floor(budget / 4) + 11);
      },
    ),
    { numRuns: 40, ...(process.env['SEED'] === undefined ? {} : { seed: Number(process.env['SEED']) }) },
  );
});
