import { randomUUID } from 'node:crypto';
import type { Link } from '@partyline/dev/faults/proxy';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { linkToPostgres } from './testing/postgres-link.ts';
import { NUMBER, startTestHarness, type TestHarness } from './testing/test-harness.ts';

let harness: TestHarness;
let link: Link;
let admin: pg.Client;

beforeAll(async () => {
  harness = await startTestHarness({
    connectThrough: async (databaseUrl) => {
      admin = new pg.Client({ connectionString: databaseUrl });
      await admin.connect();
      const linked = await linkToPostgres(databaseUrl);
      link = linked.link;
      return linked.url;
    },
  });
});
afterAll(async () => {
  await admin.end();
  await harness.stop();
  await link.close();
});
beforeEach(async () => {
  await link.setFault(null);
  await setReadOnly(false);
});

/** For new connections, like a demoted primary. The statement itself needs a writable session. */
async function setReadOnly(isReadOnly: boolean): Promise<void> {
  const setting = isReadOnly ? 'on' : 'off';
  await admin.query(`BEGIN READ WRITE;
    ALTER DATABASE "${admin.database}" SET default_transaction_read_only = ${setting};
    COMMIT`);
}
const dialIn = async (): Promise<number> => {
  const uuid = randomUUID();
  const call = { from: '442079460011', to: NUMBER.slice(1), uuid, conversation_uuid: `CON-${uuid}` };
  return (await harness.send('/v1/voice/answer', call)).status;
};
const dialInOften = (): Promise<number[]> => Promise.all(Array.from({ length: 12 }, dialIn));

describe('a caller', () => {
  it('is answered 503 while the database is read-only, and 200 as soon as it is not', async () => {
    expect(await dialIn()).toBe(200);
    await setReadOnly(true);
    link.resetConnections();
    // The provider retries after a 503, and drops the call after a 500.
    for (let wave = 0; wave < 3; wave++) expect(new Set(await dialInOften())).toEqual(new Set([503]));
    await setReadOnly(false);
    expect(new Set(await dialInOften())).toEqual(new Set([200]));
  });

  it('is answered 503 while the database refuses connections, and 200 as soon as it does not', async () => {
    await link.setFault({ kind: 'refuse' });
    for (let wave = 0; wave < 3; wave++) expect(new Set(await dialInOften())).toEqual(new Set([503]));
    await link.setFault(null);
    expect(new Set(await dialInOften())).toEqual(new Set([200]));
  });

  it('is answered by the second try when the connections break', async () => {
    await dialInOften();
    link.resetConnections();
    const first = await dialInOften();
    expect(first.filter((status) => status !== 200 && status !== 503)).toEqual([]);
    expect(new Set(await dialInOften())).toEqual(new Set([200]));
  });
});
