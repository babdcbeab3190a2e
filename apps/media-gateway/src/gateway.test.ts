import { afterAll, beforeAll, expect, it } from 'vitest';
import { startGateway, type Gateway, type GatewayOptions } from './gateway.ts';
import { startTestGateway, type TestGateway } from './testing/test-gateway.ts';

let test: TestGateway;
beforeAll(async () => {
  test = await startTestGateway();
});
afterAll(() => test.stop());

/** Starts a second gateway beside the one of the test. */
function start(wrong: { janus?: Partial<GatewayOptions['janus']>; kamailio?: Partial<GatewayOptions['kamailio']> }): {
  readonly gateway: Gateway;
  readonly problems: readonly unknown[];
  readonly attempts: () => number;
} {
  const problems: unknown[] = [];
  let attempts = 0;
  const log = {
    info: () => undefined,
    warn: (fields: Record<string, unknown>) => void problems.push(fields['problem']),
  };
  const { janus, kamailio, ...others } = test.gatewayOptions;
  const gateway = startGateway({
    ...others,
    gatewayId: 'two',
    log,
    sleep() {
      attempts += 1;
      return others.sleep(20);
    },
    janus: { ...janus, ...wrong.janus },
    kamailio: { ...kamailio, ...wrong.kamailio },
  });
  return { gateway, problems, attempts: () => attempts };
}

it('names a wrong secret of kamailio once in the log, and is not ready', async () => {
  const { rpc } = test.gatewayOptions.kamailio;
  const { gateway, problems, attempts } = start({ kamailio: { rpc: { ...rpc, secret: 'not-it' } } });
  await expect.poll(() => gateway.problem).toMatch(/Set KAMAILIO_RPC_SECRET to the same value/);
  await expect.poll(attempts).toBeGreaterThan(2);
  expect([gateway.isReady, problems]).toEqual([false, [gateway.problem]]);
  await gateway.close();
});

it('names a wrong admin key of Janus, and is not ready', async () => {
  const { gateway, problems } = start({ janus: { adminKey: 'not-it' } });
  await expect.poll(() => gateway.problem).toMatch(/Set JANUS_ADMIN_KEY to the value of admin_key/);
  expect([gateway.isReady, problems]).toEqual([false, [gateway.problem]]);
  await gateway.close();
});

it('waits for a kamailio that is not up yet, and is ready when it is', async () => {
  await test.kamailio.crash();
  const { gateway } = start({});
  await expect.poll(() => gateway.problem).toMatch(/^kamailio cannot be reached\. Start kamailio/);
  await test.kamailio.restart();
  await expect.poll(() => gateway.isReady).toBe(true);
  expect(gateway.problem).toBeUndefined();
  await gateway.close();
});
