import { readFile } from 'node:fs/promises';
import { createTestDatabase, type TestDatabase } from '@partyline/testing/postgres';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';

/** Ten thousand guesses at the PINs of one number, in calls of three, ten calls at a time, each of them 25 seconds long (reliability.md §4). */
const GUESSES = 10_000;
const TRIES = 3;
const CALLS_AT_A_TIME = 10;
const CALL_S = 25;
/** A call in slow mode, of which one is taken at a time: half a minute of prompt before the one try. */
const SLOW_CALL_S = 35;
const NUMBER = '+442079460000';

/** One round of calls at once, by the webhooks' own functions, and the time that they take goes by: the rows grow old. Answers how many guesses were really tried. */
const ROUND = `
CREATE FUNCTION attack_round(p_first int, p_calls int, p_caller_ids int, p_number text) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  v_tried int := 0;
  v_asked int[] := '{}';
  v_outcome text;
  v_call int;
BEGIN
  FOR v_call IN p_first..LEAST(p_first + ${CALLS_AT_A_TIME}, p_calls) - 1 LOOP
    SELECT a.outcome INTO v_outcome FROM answer_caller('a' || v_call, 'infinity', 'leg_' || v_call, 'call_' || v_call, p_number, '+4479' || lpad((v_call % p_caller_ids)::text, 8, '0'), 30, 's', 'c', 'p', NULL) AS a;
    IF v_outcome IN ('ask', 'ask-slowly') THEN v_asked := v_asked || v_call; END IF;
  END LOOP;
  FOREACH v_call IN ARRAY v_asked LOOP
    FOR v_try IN 1..${TRIES} LOOP
      SELECT a.outcome INTO v_outcome FROM admit_caller('d' || v_call || '-' || v_try, 'infinity', 'leg_' || v_call, 'call_' || v_call, v_try, ${TRIES}, '\\x00', 's', 'c', 'p', NULL) AS a;
      v_tried := v_tried + 1;
      EXIT WHEN v_outcome <> 'wrong-pin';
    END LOOP;
  END LOOP;
  UPDATE leg SET state = 'ended', ended_at = now() WHERE id = ANY (SELECT 'leg_' || each FROM unnest(v_asked) AS each);
  UPDATE dial_in_number SET slow_until = slow_until - interval '${CALL_S} seconds' WHERE slow_until IS NOT NULL;
  -- Where each caller id is used once, nobody waits for its own mistakes, and the rows need not grow old.
  IF p_caller_ids < p_calls THEN
    UPDATE leg SET created_at = created_at - interval '${CALL_S} seconds', ended_at = ended_at - interval '${CALL_S} seconds', owed_at = owed_at - interval '${CALL_S} seconds';
  END IF;
  RETURN v_tried;
END $$`;

let database: TestDatabase;
let client: pg.Client;
beforeAll(async () => {
  database = await createTestDatabase();
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await client.query(ROUND);
});
afterAll(async () => {
  await client.end();
  await database.drop();
});

/** A number with so many live PINs; answers its budget. */
async function prepare(pins: number, digits: number): Promise<number> {
  await client.query('TRUNCATE tenant, dial_in_number, leg, webhook_jti CASCADE');
  await client.query(`INSERT INTO dial_in_number (e164) VALUES ('${NUMBER}')`);
  await client.query(`INSERT INTO tenant (id, name) VALUES ('ten', 'Tenant')`);
  await client.query(`INSERT INTO room (id, tenant_id, name, number, max_participants, max_duration_s) VALUES ('room', 'ten', 'Room', '${NUMBER}', 50, 3600)`);
  await client.query(`INSERT INTO pin (id, tenant_id, room_id, number, lookup, sealed, digits) SELECT 'pin_' || n, 'ten', 'room', $1, decode(md5(n::text), 'hex'), '', $2 FROM generate_series(1, $3::int) AS n`, [NUMBER, digits, pins]);
  const { rows } = await client.query<{ budget: string }>('SELECT budget FROM guess_budget($1)', [NUMBER]);
  return Number(rows[0]?.budget);
}

/** That at least one of so many guesses was right, whichever they were: no PIN has two equal neighbours. */
const odds = (pins: number, digits: number, guesses: number): string => (1 - (1 - pins / (10 * 9 ** (digits - 1))) ** guesses).toFixed(6);

const page = await readFile(new URL('../../../docs/fraud.md', import.meta.url), 'utf8');
const whole = (value: number): string => value.toLocaleString('en-US');

it.each([
  [1, 6, 1],
  [1, 6, 50],
  [1, 6, 5_000],
  [100, 9, 5_000],
])('%s PINs of %s digits, guessed at from %s caller ids: docs/fraud.md says how often, and with what odds', async (pins, digits, callerIds) => {
  const budget = await prepare(pins, digits);
  const calls = Math.ceil(GUESSES / TRIES);
  let tried = 0;
  for (let first = 0; first < calls; first += CALLS_AT_A_TIME) {
    const { rows } = await client.query<{ tried: number }>({ name: 'round', text: 'SELECT attack_round($1, $2, $3, $4) AS tried', values: [first, calls, callerIds, NUMBER] });
    tried += rows[0]?.tried ?? 0;
    // What autovacuum would do in hours.
    if (first % 500 === 0) await client.query('VACUUM leg');
  }
  // Past the budget: those who were being asked when it was used up, and then one try in each round.
  expect(tried).toBeLessThanOrEqual(budget + CALLS_AT_A_TIME * TRIES + calls / CALLS_AT_A_TIME);
  expect(page).toContain(`| ${pins} | ${digits} | ${whole(budget)} | ${whole(callerIds)} | ${whole(tried)} | ${odds(pins, digits, tried)} |`);
}, 120_000);

it.each([[1, 6], [1, 9], [100, 9], [1_000, 9], [1_000, 10]])('%s PINs of %s digits: docs/fraud.md says what a whole day of it comes to', async (pins, digits) => {
  const budget = await prepare(pins, digits);
  // As fast as can be until the budget is used up, and then in slow mode for the rest of the day.
  const fastPerS = (CALLS_AT_A_TIME * TRIES) / CALL_S;
  const fast = Math.min(budget, 86_400 * fastPerS);
  const slow = Math.max(0, Math.floor((86_400 - fast / fastPerS) / SLOW_CALL_S));
  expect(page).toContain(`| ${whole(pins)} | ${digits} | ${whole(budget)} | ${whole(fast)} | ${whole(slow)} | ${odds(pins, digits, fast + slow)} |`);
});
