import { createTestJanus, type TestJanus } from '@partyline/testing/janus';
import { createTestKamailio, type TestKamailio } from '@partyline/testing/kamailio';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { findOperatorErrors } from './check-servers.ts';

let janus: TestJanus;
let kamailio: TestKamailio;
beforeAll(async () => {
  [janus, kamailio] = await Promise.all([createTestJanus(), createTestKamailio()]);
});
afterAll(() => Promise.all([janus.stop(), kamailio.stop()]));

const find = (
  wrong: {
    janus?: Partial<Parameters<typeof findOperatorErrors>[0]['janus']>;
    rpc?: Partial<Parameters<typeof findOperatorErrors>[0]['kamailio']['rpc']>;
  } = {},
) =>
  findOperatorErrors({
    janus: { url: janus.url, apiSecret: janus.apiSecret, adminKey: janus.adminKey, ...wrong.janus },
    kamailio: { rpc: { url: kamailio.rpcUrl, secret: kamailio.rpcSecret, ...wrong.rpc } },
  });

it('finds no error in the settings of servers that can serve', async () => {
  expect(await find()).toEqual([]);
});

it('names each wrong secret, and shows none of them', async () => {
  const found = await find({ janus: { adminKey: 'not-it' }, rpc: { secret: 'not-it' } });
  expect(found).toEqual([
    expect.stringMatching(/^Janus rejected our admin key\. Set JANUS_ADMIN_KEY to /),
    expect.stringMatching(/^kamailio rejected the secret of its RPC\. Set KAMAILIO_RPC_SECRET to /),
  ]);
  expect(found.join()).not.toContain('not-it');
});

it('waits for servers that are not up yet', async () => {
  expect(await find({ janus: { url: 'ws://127.0.0.1:2' }, rpc: { url: 'http://127.0.0.1:2/RPC' } })).toEqual([]);
});
