import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { NUMBER, startTestHarness, type TestHarness } from './testing/test-harness.ts';

let harness: TestHarness;
beforeAll(async () => {
  harness = await startTestHarness({ webhooksPerMinute: 3 });
});
afterAll(() => harness.stop());

it("rejects the webhooks of a tenant's account above its limit, and stores nothing of them", async () => {
  const [busy, other] = [await harness.createTenantAccount(), await harness.createTenantAccount()];
  const dialIn = ({ accountId, number, signer }: typeof busy) => {
    const uuid = randomUUID();
    const call = { from: '442079460011', to: number.slice(1), uuid, conversation_uuid: `CON-${uuid}` };
    return harness.send(`/v1/accounts/${accountId}/voice/answer`, call, { signer });
  };
  for (let n = 0; n < 3; n++) expect((await dialIn(busy)).status).toBe(200);
  const before = await harness.dumpState();
  const tokens = await harness.store.prisma.webhook_jti.count();
  expect(await dialIn(busy)).toMatchObject({ status: 429, body: { reason: 'rate-limited' } });
  expect(await harness.dumpState()).toBe(before);
  expect(await harness.store.prisma.webhook_jti.count()).toBe(tokens);

  // A forged webhook uses up nothing, and another account and the platform's have limits of their own.
  for (let n = 0; n < 4; n++) expect((await dialIn({ ...other, signer: busy.signer })).status).toBe(401);
  expect((await dialIn(other)).status).toBe(200);
  const uuid = randomUUID();
  const call = { from: '442079460011', to: NUMBER.slice(1), uuid, conversation_uuid: `CON-${uuid}` };
  for (let n = 0; n < 5; n++) expect((await harness.send('/v1/voice/answer', call)).status).toBe(200);
});
