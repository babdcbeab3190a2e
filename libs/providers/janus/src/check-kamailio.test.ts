import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createTestKamailio, type TestKamailio } from '@partyline/testing/kamailio';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { checkKamailio } from './check-kamailio.ts';
import type { KamailioRpc } from './kamailio-rpc.ts';

const TIMEOUT_MS = 20_000;
let kamailio: TestKamailio;
beforeAll(async () => {
  kamailio = await createTestKamailio();
});
afterAll(() => kamailio.stop());

const check = (rpc: Partial<KamailioRpc> = {}, timeoutMs = TIMEOUT_MS) =>
  checkKamailio({ url: kamailio.rpcUrl, secret: kamailio.rpcSecret, ...rpc }, timeoutMs);

it('accepts a kamailio that can serve', async () => {
  expect(await check()).toEqual({ isUsable: true, version: expect.stringMatching(/^\d+\.\d+\.\d+$/) });
});

it.each<[string, () => Partial<KamailioRpc>, RegExp]>([
  [
    'unreachable',
    () => ({ url: 'http://127.0.0.1:2/RPC' }),
    /^kamailio cannot be reached\. .* check KAMAILIO_RPC_URL\.$/,
  ],
  ['wrong-secret', () => ({ secret: 'not-it' }), /rejected the secret of its RPC\. Set KAMAILIO_RPC_SECRET to/],
  ['other-server', () => ({ url: new URL('/other', kamailio.rpcUrl).href }), /^KAMAILIO_RPC_URL is not .* Set it to/],
  ['other-server', () => ({ url: new URL('/healthz', kamailio.rpcUrl).href }), /^KAMAILIO_RPC_URL is not .* Set it to/],
])('reports the problem %s and its fix', async (problem, rpc, message) => {
  const result = await check(rpc());
  expect(result).toEqual({ isUsable: false, problem, message: expect.stringMatching(message) });
  expect(JSON.stringify(result)).not.toContain('not-it');
});

/** Checks a server that answers each method of the RPC with this. */
async function checkAnswers(answers: Readonly<Record<string, { status: number; body: object }>>) {
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const part of request) body += String(part);
    const answer = answers[(JSON.parse(body) as { method: string }).method];
    response.writeHead(answer?.status ?? 500).end(JSON.stringify(answer?.body));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const result = await check({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/RPC` });
  server.close();
  return result;
}

const versionIs = (version: string) => ({
  'core.version': { status: 200, body: { jsonrpc: '2.0', result: `kamailio ${version} (x86_64/linux) `, id: 1 } },
});
const noTable = { status: 500, body: { jsonrpc: '2.0', error: { code: 500, message: 'No such htable' }, id: 1 } };
const emptyTable = { status: 200, body: { jsonrpc: '2.0', result: [], id: 1 } };

it('names the version of a kamailio that is too old', async () => {
  expect(await checkAnswers(versionIs('5.5.4'))).toEqual({
    isUsable: false,
    problem: 'too-old',
    message: 'kamailio 5.5.4 is too old. Install kamailio 5.6 or later.',
  });
});

it.each(['5.6.0', '5.10.1', '6.0.2'])('accepts the version %s', async (version) => {
  const result = await checkAnswers({ ...versionIs(version), 'htable.dump': emptyTable });
  expect(result).toEqual({ isUsable: true, version });
});

it('reports a kamailio that does not run our configuration', async () => {
  expect(await checkAnswers({ ...versionIs('5.8.1'), 'htable.dump': noTable })).toMatchObject({
    problem: 'other-configuration',
    message: expect.stringContaining('deploy/kamailio/kamailio.cfg'),
  });
});
