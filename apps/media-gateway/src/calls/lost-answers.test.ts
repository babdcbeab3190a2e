import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { startJanusProxy, type JanusProxy } from '../testing/janus-proxy.ts';
import { startTestGateway, type TestGateway } from '../testing/test-gateway.ts';

/** The requests that end a call at Janus. */
const END_REQUESTS = /"request":\s*"hangup"|"janus":\s*"(detach|hangup)"/;
const TO = '+442079460018';
let test: TestGateway;
let proxy: JanusProxy;
/** Messages between the gateway and Janus that match do not arrive. */
let lost: RegExp | undefined;
/** The event that Janus sends instead, for a request that is lost. */
let event: ((request: { session_id: number; handle_id: number }) => object) | undefined;

beforeAll(async () => {
  test = await startTestGateway({
    janusUrl: async (url) => {
      proxy = await startJanusProxy(url, (message, send) => {
        const isLost = lost?.test(message) ?? false;
        if (isLost && event !== undefined) send(JSON.stringify(event(JSON.parse(message))));
        return isLost;
      });
      return proxy.url;
    },
  });
});
afterEach(async () => {
  lost = undefined;
  event = undefined;
  await test.hangUpPhones();
});
afterAll(async () => {
  await test.stop();
  proxy.stop();
});

async function place() {
  const phone = await test.phone({ user: TO });
  const voice = test.voice({ host: `127.0.0.1:${phone.sipPort}` });
  const { callId } = await voice.createCall({
    to: TO,
    from: '+12025550100',
    answerUrl: `${test.hooks.url}/v1/voice/answer/leg`,
    eventUrl: test.eventUrl,
    ringingTimerS: 60,
    lengthTimerS: 600,
  });
  await phone.waitFor('incoming');
  return { phone, voice, callId };
}

it('a call that Janus has placed without an answer to the gateway is over when the phone has stopped to ring', async () => {
  lost = new RegExp(`"event":\\s*"(calling|proceeding|ringing)"|${END_REQUESTS.source}`);
  const { phone, callId } = await place();
  expect(await test.overOf(callId)).toMatchObject({ cause: 'failed' });
  await phone.waitFor('closed', 1_000);
});

it.each([408, 503])('a call whose CANCEL gets %i is over when the phone has stopped to ring', async (code) => {
  const { phone, voice, callId } = await place();
  await expect.poll(() => test.eventsOf(callId)).toMatchObject([{ phase: 'ringing' }]);
  lost = END_REQUESTS;
  event = ({ session_id, handle_id }) => ({
    janus: 'event',
    session_id,
    sender: handle_id,
    plugindata: {
      plugin: 'janus.plugin.sip',
      data: { sip: 'event', call_id: callId, result: { event: 'hangup', code, reason: 'No answer' } },
    },
  });
  await voice.hangUp(callId);
  expect(await test.overOf(callId)).toMatchObject({ cause: 'cancelled' });
  await phone.waitFor('closed', 1_000);
});
