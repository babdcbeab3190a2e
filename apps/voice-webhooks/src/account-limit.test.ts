import { randomUUID } from 'node:crypto';
import { PLATFORM_SIP } from '@partyline/domain/platform-account';
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

it("serves the webhooks of the platform's SIP trunk, which have no limit, and only those", async () => {
  const number = '+12025550177';
  await harness.store.prisma.dial_in_number.create({
    data: { e164: number, guarded: false, account_id: PLATFORM_SIP },
  });
  const answer = (path: string, account: string, to: string) =>
    harness.sendAsGateway(`${path}/voice/answer`, account, {
      callId: `gw-1.${randomUUID()}`,
      from: '+442079460011',
      to,
      headers: {},
    });
  const asks = { steps: [expect.objectContaining({ do: 'say' }), expect.objectContaining({ do: 'ask-digits' })] };
  for (let n = 0; n < 4; n++)
    expect(await answer(`/v1/accounts/${PLATFORM_SIP}`, PLATFORM_SIP, number)).toMatchObject({
      status: 200,
      body: asks,
    });
  const legs = { number, account_id: PLATFORM_SIP, tenant_id: null };
  expect(await harness.store.prisma.leg.count({ where: legs })).toBe(4);

  // Neither the platform's first account nor the one of a tenant.
  const before = await harness.dumpState();
  for (const [path, account] of [
    ['/v1', PLATFORM_SIP],
    [`/v1/accounts/${PLATFORM_SIP}`, 'platform'],
    [`/v1/accounts/${PLATFORM_SIP}`, 'acct_1'],
  ] as const)
    expect((await answer(path, account, number)).status).toBe(401);
  const reply = await answer(`/v1/accounts/${PLATFORM_SIP}`, PLATFORM_SIP, NUMBER);
  expect(reply.body).not.toMatchObject(asks);
  expect(await harness.dumpState()).toBe(before);
});
