import { randomUUID } from 'node:crypto';
import type { Link } from '@partyline/dev/faults/proxy';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { linkToPostgres } from './testing/postgres-link.ts';
import { startTestHarness, type TestHarness } from './testing/test-harness.ts';

/** Longer than a test may take: only the limit of the webhook can end the wait. */
const STATEMENT_TIMEOUT_MS = 600_000;

let harness: TestHarness;
let link: Link;
beforeAll(async () => {
  harness = await startTestHarness({
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    answerWithinMs: 1_000,
    connectThrough: async (databaseUrl) => {
      const linked = await linkToPostgres(databaseUrl);
      link = linked.link;
      return linked.url;
    },
  });
});
afterAll(async () => {
  link.resetConnections();
  await harness.stop();
  await link.close();
});

it("a caller of a tenant's own account is answered 503 while the database does not answer, and 200 later", async () => {
  const { accountId, number, signer } = await harness.createTenantAccount();
  const uuid = randomUUID();
  const call = { from: '442079460011', to: number.slice(1), uuid, conversation_uuid: `CON-${uuid}` };
  const dialIn = () => harness.send(`/v1/accounts/${accountId}/voice/answer`, call, { signer });
  await link.setFault({ kind: 'black-hole' });
  expect(await dialIn()).toMatchObject({ status: 503, body: { reason: 'temporarily-unavailable' } });
  await link.setFault(null);
  link.resetConnections();
  await expect.poll(async () => (await dialIn()).status, { timeout: 30_000 }).toBe(200);
});
