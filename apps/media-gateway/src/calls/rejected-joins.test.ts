import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { startJanusProxy, type JanusProxy } from '../testing/janus-proxy.ts';
import { hears, startTestGateway, type TestGateway } from '../testing/test-gateway.ts';

const [LISTENER_HZ, CALLER_HZ] = [440, 1_050];
let test: TestGateway;
let proxy: JanusProxy;
/** How many of the next joins Janus rejects. */
let rejections = 0;

interface JoinRequest {
  readonly session_id: number;
  readonly handle_id: number;
  readonly transaction: string;
  readonly body?: { readonly request?: string; readonly rtp?: unknown };
}

beforeAll(async () => {
  test = await startTestGateway({
    janusUrl: async (url) => {
      proxy = await startJanusProxy(url, (message, send) => {
        const { session_id, handle_id, transaction, body } = JSON.parse(message) as JoinRequest;
        if (rejections === 0 || body?.request !== 'join' || body.rtp === undefined) return false;
        rejections -= 1;
        const data = { audiobridge: 'event', error_code: 499, error: 'rejected by the test' };
        const plugindata = { plugin: 'janus.plugin.audiobridge', data };
        send(JSON.stringify({ janus: 'event', session_id, sender: handle_id, transaction, plugindata }));
        return true;
      });
      return proxy.url;
    },
  });
});
afterEach(() => test.hangUpPhones());
afterAll(async () => {
  await test.stop();
  proxy.stop();
});

async function dial(hz: number) {
  const number = test.number([{ do: 'join', conversation: 'conv_rejected', eventUrl: test.eventUrl }]);
  const phone = await test.phone({ user: `phone${hz}`, microphone: { hz } });
  await phone.dial(test.uriOf(number));
  const { callId } = await test.answerOf(number);
  return { phone, callId };
}

it('a call that its conference rejects enters it again', async () => {
  const listener = await dial(LISTENER_HZ);
  await expect.poll(() => test.gateway.stateOf('conv_rejected').isHere).toBe(true);
  rejections = 2;
  const caller = await dial(CALLER_HZ);
  await expect.poll(() => hears(listener.phone, CALLER_HZ)).toBe(true);
  await expect.poll(() => hears(caller.phone, LISTENER_HZ)).toBe(true);
  const moves = test.eventsOf(caller.callId).filter(({ kind }) => kind === 'moved');
  expect(moves).toHaveLength(1);
  expect(rejections).toBe(0);
});

it('a call that its conference rejects again and again is hung up', async () => {
  rejections = 3;
  const { callId, phone } = await dial(CALLER_HZ);
  await phone.waitFor('closed');
  expect(await test.overOf(callId)).toMatchObject({ cause: 'failed' });
});
