import { createTestJanus, type TestJanus } from '@partyline/testing/janus';
import { createTestKamailio, type TestKamailio } from '@partyline/testing/kamailio';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { JanusLink, type JanusLinkOptions } from './janus-link.ts';

let janus: TestJanus;
let kamailio: TestKamailio;
beforeAll(async () => {
  [janus, kamailio] = await Promise.all([createTestJanus(), createTestKamailio()]);
});
afterAll(() => Promise.all([janus.stop(), kamailio.stop()]));

/** Runs a link until it has tried once. @returns why it has no connection */
async function problemWith(wrong: {
  janus?: Partial<JanusLinkOptions['janus']>;
  lines?: Partial<JanusLinkOptions['lines']>;
  adminKey?: string;
}): Promise<string | undefined> {
  const tried = Promise.withResolvers<void>();
  const link = new JanusLink({
    janus: {
      url: janus.url,
      apiSecret: janus.apiSecret,
      requestTimeoutMs: 10_000,
      keepAlive: { intervalMs: 4_000, timeoutMs: 4_000 },
      ...wrong.janus,
    },
    lines: {
      uri: `sip:gw-one@${kamailio.sipUri}`,
      secret: kamailio.gatewaySecret,
      proxy: `sip:${kamailio.sipUri}`,
      count: 2,
      registerTtlSeconds: 30,
      registerTimeoutMs: 10_000,
      sleep: async () => undefined,
      onUnregistered: () => undefined,
      ...wrong.lines,
    },
    conferences: { adminKey: wrong.adminKey ?? janus.adminKey, secretOf: () => 'secret', onError: () => undefined },
    // The next attempt waits until the link is closed.
    sleep: async () => {
      tried.resolve();
      await closing.promise;
    },
    onIncoming: () => undefined,
    onChange: () => tried.resolve(),
    onProblem: () => undefined,
    onError: () => undefined,
  });
  const closing = Promise.withResolvers<void>();
  const running = link.run();
  await tried.promise;
  const { problem } = link;
  await link.close();
  closing.resolve();
  await running;
  return problem;
}

it('has no problem with a Janus and a kamailio that work', async () => {
  expect(await problemWith({})).toBeUndefined();
});

it('names the fix when Janus is missing', async () => {
  expect(await problemWith({ janus: { url: 'ws://127.0.0.1:9' } })).toMatch(
    /^Janus cannot be reached: .* Start Janus with its WebSocket transport, and check JANUS_URL\.$/,
  );
});

it('names the fix when the secret of Janus is wrong', async () => {
  expect(await problemWith({ janus: { apiSecret: 'wrong' } })).toBe(
    'Janus rejected our secret. Set JANUS_API_SECRET to the value of api_secret in janus.jcfg.',
  );
});

it('names the fix when the admin key of Janus is wrong', async () => {
  expect(await problemWith({ adminKey: 'wrong' })).toMatch(/Set JANUS_ADMIN_KEY to the value of admin_key/);
});

it('names the fix when the secret of kamailio is wrong', async () => {
  expect(await problemWith({ lines: { secret: 'wrong' } })).toMatch(/Set KAMAILIO_GATEWAY_SECRET to the same value/);
});

it('names the fix when kamailio rejects the name of the gateway', async () => {
  expect(await problemWith({ lines: { uri: `sip:one@${kamailio.sipUri}` } })).toMatch(/address file of kamailio/);
});

it('names the fix when kamailio is missing', async () => {
  const lines = { uri: 'sip:gw-one@127.0.0.1:9', proxy: 'sip:127.0.0.1:9' };
  expect(await problemWith({ lines })).toMatch(/Start kamailio, and check KAMAILIO_SIP\.$/);
});
