import { createTestDatabase } from '@partyline/testing/postgres';
import pg from 'pg';
import { expect, it } from 'vitest';
import { GOOD_BYE_S, KEYING_S, MAX_TRIES } from './pin-entry.ts';

it('callers have the times and tries that the database gives them', async () => {
  const database = await createTestDatabase();
  const client = new pg.Client({ connectionString: database.url });
  try {
    await client.connect();
    const { rows } = await client.query(
      'SELECT extract(epoch FROM pin_entry_time(false))::int AS key, max_pin_attempts(false) AS tries, extract(epoch FROM goodbye_time())::int AS bye',
    );
    expect(rows).toEqual([{ key: KEYING_S, tries: MAX_TRIES, bye: GOOD_BYE_S }]);
  } finally {
    await client.end();
    await database.drop();
  }
});
