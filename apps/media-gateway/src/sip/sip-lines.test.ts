import { startSipp } from '@partyline/dev/phones/sipp';
import { connectJanusAdmin } from '@partyline/janus/admin/janus-admin';
import { connectJanus, type JanusConnection } from '@partyline/janus/connection';
import { createTestJanus, type TestJanus } from '@partyline/testing/janus';
import { createTestKamailio, type TestKamailio } from '@partyline/testing/kamailio';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openSipLines } from './sip-lines.ts';

let janus: TestJanus;
let kamailio: TestKamailio;
const connections: JanusConnection[] = [];
const errors: unknown[] = [];

beforeAll(async () => {
  [janus, kamailio] = await Promise.all([
    createTestJanus(),
    createTestKamailio({ trunks: [{ address: '127.0.0.1', port: 0, account: 'platform' }] }),
  ]);
});
afterAll(async () => {
  await Promise.all(connections.map((connection) => connection.close()));
  await Promise.all([janus.stop(), kamailio.stop()]);
});

/** Connects and registers as `gw-one`; `called` are the callers that have reached it. */
async function open(registerTtlSeconds: number) {
  const connection = await connectJanus({
    url: janus.url,
    apiSecret: janus.apiSecret,
    requestTimeoutMs: 10_000,
    keepAlive: { intervalMs: 4_000, timeoutMs: 10_000 },
    onListenerError: (error) => void errors.push(error),
  });
  connections.push(connection);
  const called: string[] = [];
  const problems: unknown[] = [];
  const { sipUri, gatewaySecret } = kamailio;
  await openSipLines(
    connection,
    {
      uri: `sip:gw-one@${sipUri}`,
      secret: gatewaySecret,
      proxy: `sip:${sipUri}`,
      count: 2,
      registerTtlSeconds,
      registerTimeoutMs: 20_000,
      sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
      onUnregistered: (error) => void problems.push(error),
    },
    (handle, { caller }) => {
      called.push(caller.replace(/@.*/, ''));
      // Janus 1.1.2 loses an earlier answer.
      setTimeout(() => void handle.decline({ code: 486 }).catch(() => undefined), 50);
    },
  );
  return { connection, called, problems };
}

/** Calls the gateways, until all have rejected the call. */
async function call(from: string): Promise<void> {
  const scenario = { kind: 'caller', to: '1', from, refusedWith: 503 } as const;
  const phone = await startSipp({ scenario, target: kamailio.sipUri });
  await phone.finished;
}

it('keeps its calls when an earlier connection of its name ends', async () => {
  const [earlier, later] = [await open(30), await open(30)];
  await call('one');
  expect([earlier.called, later.called]).toEqual([[], ['sip:one']]);
  await earlier.connection.close();
  await call('two');
  expect(later.called).toEqual(['sip:one', 'sip:two']);
  await later.connection.close();
});

it('closes its connection when Janus takes a line away', async () => {
  const { connection } = await open(30);
  const admin = await connectJanusAdmin({
    url: janus.adminUrl,
    adminSecret: janus.adminSecret,
    requestTimeoutMs: 10_000,
  });
  const lines = (await admin.describeAllHandles()).filter(({ sessionId }) => sessionId === connection.sessionId);
  const helper = lines.find(({ pluginState }) => pluginState['helpers'] === undefined);
  expect([lines.length, helper]).toEqual([2, expect.objectContaining({ opaqueId: 'line' })]);
  await admin.detachHandle(connection.sessionId, helper!.handleId);
  expect(await connection.closed).toBe('requested');
  admin.close();
});

it('registers again, and gets calls, after kamailio was away for longer than a registration lives', async () => {
  const { called, problems } = await open(10);
  await call('before');
  expect(called).toEqual(['sip:before']);
  await kamailio.crash();
  await expect.poll(() => problems.length, { timeout: 90_000 }).toBeGreaterThan(0);
  await kamailio.restart();
  await expect
    .poll(
      async () => {
        await call('after');
        return called.at(-1);
      },
      { interval: 500 },
    )
    .toBe('sip:after');
  expect(errors).toEqual([]);
}, 180_000);
