import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, expect, it } from 'vitest';
import { LostCalls } from './lost-calls.ts';

const CALL_ID = 'one.abcdefghijklmnopqrstuv';
let close = (): void => undefined;
afterEach(() => close());

/**
 * A kamailio that lists the call in some of its replies, and then always as in the last one. Each
 * reply is one second after the one before.
 */
async function openLostCalls(replies: readonly { uptimeS: number; isListed: boolean }[]) {
  const sent: string[] = [];
  let at = 0;
  const dialog = {
    'call-id': 'sip-call-id',
    caller: { tag: 'a', cseq: '1' },
    callee: { tag: 'b' },
    state: 4,
    variables: [{ call: CALL_ID }],
  };
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await text(request);
    const method = request.url === '/hang-up' ? 'hang-up' : (JSON.parse(body) as { method: string }).method;
    sent.push(method);
    const { uptimeS, isListed } = replies[at] ?? replies.at(-1)!;
    const results: Record<string, unknown> = {
      'dlg.list': isListed ? [dialog] : [],
      'htable.dump': [],
      'core.uptime': { uptime: uptimeS },
    };
    response.writeHead(200).end(JSON.stringify({ result: results[method] }));
  };
  const server = createServer((request, response) => void answer(request, response));
  close = () => void server.close();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const lost = new LostCalls({
    rpc: { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/RPC`, secret: 'secret' },
    timeoutMs: 10_000,
    sleep: async () => void (at += 1),
    nowMs: () => at * 1_000,
    onError: (error) => expect.fail(String(error)),
  });
  return { lost, sent, times: () => at };
}

it('takes the absence of a call from a kamailio that has run for long as its end', async () => {
  const { lost, sent, times } = await openLostCalls([{ uptimeS: 3_600, isListed: false }]);
  await lost.end(CALL_ID);
  expect([times(), sent.length]).toEqual([0, 3]);
});

it('takes the absence of a call as its end from a kamailio that has run since it knew the call', async () => {
  const { lost, times } = await openLostCalls([{ uptimeS: 30, isListed: false }]);
  await lost.end(CALL_ID, -20_000);
  expect(times()).toBe(0);
});

it('waits for a kamailio that has started since it knew the call', async () => {
  const { lost, times } = await openLostCalls([
    { uptimeS: 10, isListed: false },
    { uptimeS: 61, isListed: false },
  ]);
  await lost.end(CALL_ID, -20_000);
  expect(times()).toBe(1);
});

it('waits for a kamailio that has just started, which may have lost the call', async () => {
  const { lost, sent, times } = await openLostCalls([
    { uptimeS: 1, isListed: false },
    { uptimeS: 60, isListed: false },
    { uptimeS: 61, isListed: false },
  ]);
  await lost.end(CALL_ID);
  expect(times()).toBe(2);
  expect(sent).not.toContain('hang-up');
});

it('ends a call that a kamailio with a database lists again, and then believes its absence at once', async () => {
  const { lost, sent, times } = await openLostCalls([
    { uptimeS: 0, isListed: false },
    { uptimeS: 1, isListed: true },
    { uptimeS: 2, isListed: true },
    { uptimeS: 3, isListed: false },
  ]);
  await lost.end(CALL_ID);
  expect(times()).toBe(3);
  expect(sent.filter((method) => method === 'hang-up')).toHaveLength(2);
});

it('takes the absence of a call as its end from a kamailio that has run since it had the call', async () => {
  const { lost, times } = await openLostCalls([{ uptimeS: 30, isListed: false }]);
  await lost.end(CALL_ID, -20_000);
  expect(times()).toBe(0);
});

it('does not believe the absence of a call that was listed before kamailio started again', async () => {
  const { lost, times } = await openLostCalls([
    { uptimeS: 3_600, isListed: true },
    { uptimeS: 0, isListed: false },
    { uptimeS: 1, isListed: false },
    { uptimeS: 61, isListed: false },
  ]);
  await lost.end(CALL_ID);
  expect(times()).toBe(3);
});
