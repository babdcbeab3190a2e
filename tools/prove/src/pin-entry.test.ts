import { createTestDatabase } from '@partyline/testing/postgres';
import pg from 'pg';
import { expect, it } from 'vitest';
import { GOODBYE_SECONDS, MAX_PIN_ATTEMPTS, MAX_SILENT_PROMPTS, PIN_ENTRY_SECONDS } from './pin-entry.ts';

it('uses the PIN entry times and the attempt limit of the database', async () => {
  const database = await createTestDatabase();
  const client = new pg.Client({ connectionString: database.url });
  try {
    await client.connect();
    const { rows } = await client.query(
      `SELECT
        extract(epoch FROM pin_entry_time(false))::int AS pin_entry,
        max_pin_attempts(false) AS attempts,
        max_silent_prompts() AS silences,
        extract(epoch FROM goodbye_time())::int AS goodbye`,
    );
    expect(rows).toEqual([
      {
        pin_entry: PIN_ENTRY_SECONDS,
        attempts: MAX_PIN_ATTEMPTS,
        silences: MAX_SILENT_PROMPTS,
        goodbye: GOODBYE_SECONDS,
      },
    ]);
  } finally {
    await client.end();
    await database.drop();
  }
});
