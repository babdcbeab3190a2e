import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, expect, it } from 'vitest';
import { endDialog, listDialogs } from './dialogs.ts';
import type { KamailioRpc } from './kamailio-rpc.ts';

const SECRET = 'rpc-secret';
const SIP = { callId: 'abc', fromTag: 'caller', toTag: 'callee', cseq: '7' };
let close = (): void => undefined;
afterEach(() => close());

/** A kamailio that answers requests with this, except for its table `byes` and its uptime, and shows the last of them. */
async function openRpc(status: number, body: unknown, byes: Record<string, string> = {}) {
  const last: { url?: string | undefined; headers: Record<string, unknown>; body?: string } = { headers: {} };
  const rows = Object.entries(byes).map(([name, value]) => ({
    entry: 1,
    size: 1,
    slot: [{ name, value, type: 'str' }],
  }));
  const server = createServer(async (request, response) => {
    const received = await text(request);
    const [, method = ''] = /"method":"(htable.dump|core.uptime)"/.exec(received) ?? [];
    if (method === '') Object.assign(last, { url: request.url, headers: request.headers, body: received });
    response
      .writeHead(status, { 'content-type': 'application/json' })
      .end(
        JSON.stringify({ 'htable.dump': { result: rows }, 'core.uptime': { result: { uptime: 61 } } }[method] ?? body),
      );
  });
  close = () => void server.close();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const rpc: KamailioRpc = { url: `http://127.0.0.1:${port}/RPC`, secret: SECRET };
  return { rpc, last };
}

/** As kamailio 5.6.3 lists a dialog, without the fields that nothing reads. */
const listed = (callId: string, state: number, toTag: string | null, variables: object[] = []): object => ({
  h_entry: 3_906,
  h_id: 2_439,
  'call-id': callId,
  state,
  caller: { tag: 'caller', cseq: '7', contact: 'sip:tester@127.0.0.2:37169' },
  callee: { tag: toTag, contact: null },
  variables,
});

it('lists dialogs that ring and that are answered, and none that are over', async () => {
  const named = [{ call: 'gw-1.a' }, { gateway: 'gw-gw-1' }, { account: 'platform' }, { direction: 'outbound' }];
  const { rpc, last } = await openRpc(200, {
    jsonrpc: '2.0',
    result: [listed('ringing', 2, null), listed('answered', 4, 'callee', named), listed('over', 5, 'callee')],
  });
  expect((await listDialogs(rpc, 5_000)).dialogs).toEqual([
    {
      sip: { callId: 'ringing', fromTag: 'caller', toTag: '', cseq: '7' },
      callId: undefined,
      account: undefined,
      direction: 'inbound',
      isAnswered: false,
      isEnding: false,
    },
    {
      sip: { callId: 'answered', fromTag: 'caller', toTag: 'callee', cseq: '7' },
      callId: 'gw-1.a',
      account: 'platform',
      direction: 'outbound',
      isAnswered: true,
      isEnding: false,
    },
  ]);
  expect(last.url).toBe('/RPC');
});

it('lists a dialog that is over for kamailio, and whose phone has not answered the BYE of its gateway', async () => {
  const body = { jsonrpc: '2.0', result: [listed('unanswered', 5, 'callee')] };
  const { rpc, last } = await openRpc(200, body, { unanswered: 'gw-1.a,platform,outbound' });
  const { dialogs } = await listDialogs(rpc, 5_000);
  const facts = { callId: 'gw-1.a', account: 'platform', direction: 'outbound', isAnswered: true, isEnding: true };
  expect(dialogs).toMatchObject([facts]);
  // Kamailio repeats the BYE by itself.
  for (const dialog of dialogs) await endDialog(rpc, 5_000, dialog);
  expect(last.url).toBe('/RPC');
});

it('ends a dialog by its Call-ID and tags, with the secret', async () => {
  const { rpc, last } = await openRpc(200, 'ok');
  await endDialog(rpc, 5_000, { sip: SIP, isAnswered: true, isEnding: false });
  expect(last.url).toBe('/hang-up');
  expect(last.headers).toMatchObject({
    authorization: `Bearer ${SECRET}`,
    'x-call-id': 'abc',
    'x-from-tag': 'caller',
    'x-to-tag': 'callee',
  });
});

it('cancels a dialog that rings, by its Call-ID and the number of its INVITE', async () => {
  const { rpc, last } = await openRpc(200, { jsonrpc: '2.0', result: 'branches remaining', id: 1 });
  await endDialog(rpc, 5_000, { sip: SIP, isAnswered: false, isEnding: false });
  expect([last.url, last.headers['authorization']]).toEqual(['/RPC', `Bearer ${SECRET}`]);
  expect(JSON.parse(last.body ?? '')).toMatchObject({ method: 'tm.cancel', params: ['abc', '7'] });
});

it('rejects with not-found when the dialog that rang is answered or over', async () => {
  const { rpc } = await openRpc(200, { jsonrpc: '2.0', error: { code: 400, message: 'Transaction not found' }, id: 1 });
  await expect(endDialog(rpc, 5_000, { sip: SIP, isAnswered: false, isEnding: false })).rejects.toMatchObject({
    failure: 'not-found',
  });
});

it.each([true, false])(
  'rejects with not-found when kamailio does not have the dialog (answered: %s)',
  async (isAnswered) => {
    const { rpc } = await openRpc(404, 'no such call');
    await expect(endDialog(rpc, 5_000, { sip: SIP, isAnswered, isEnding: false })).rejects.toMatchObject({
      failure: 'not-found',
    });
  },
);

it('names the setting when kamailio rejects the secret, and the request may be repeated', async () => {
  const { rpc } = await openRpc(401, 'unauthorized');
  const named = {
    failure: 'busy',
    message: 'kamailio rejected the secret of its RPC. Set KAMAILIO_RPC_SECRET to the same value at kamailio and here.',
  };
  await expect(listDialogs(rpc, 5_000)).rejects.toMatchObject(named);
  await expect(endDialog(rpc, 5_000, { sip: SIP, isAnswered: true, isEnding: false })).rejects.toMatchObject(named);
});
