import { attachAudioBridge } from '@partyline/janus/audio-bridge/audio-bridge-handle';
import { connectJanus } from '@partyline/janus/connection';
import { attachVideoRoom } from '@partyline/janus/video-room/video-room-handle';
import { callsUp } from '@partyline/dev/phones/sip-message';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startGateway } from '../gateway.ts';
import { hears, startTestGateway, type TestGateway } from '../testing/test-gateway.ts';

let test: TestGateway;
beforeAll(async () => {
  test = await startTestGateway({ maxCalls: 4 });
});
afterEach(() => test.hangUpPhones());
afterAll(() => test.stop());

const TO = '+442079460018';
const join = (conversation: string) => ({ do: 'join', conversation, eventUrl: test.eventUrl }) as const;

/** Calls a number that joins a conference, and waits until the call is in it. */
async function callIn(conversation: string, hz: number) {
  const number = test.number([join(conversation)]);
  const phone = await test.phone({ microphone: { hz } });
  await phone.dial(test.uriOf(number));
  const { callId } = await test.answerOf(number);
  await expect.poll(() => test.eventsOf(callId).map(({ kind }) => kind)).toContain('moved');
  return { phone, callId, number };
}

const isLinked = (): boolean => test.gateway.link.current !== undefined;

/** Places a call to a phone that does not answer. */
async function ring() {
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
  return { phone, callId };
}

describe('a Janus that is killed', () => {
  it('ends its calls within two seconds, and the next calls find the new one', async () => {
    const [first, second] = [await callIn('conv_killed', 440), await callIn('conv_killed', 1_050)];
    await expect.poll(() => [hears(first.phone, 1_050), hears(second.phone, 440)]).toEqual([true, true]);
    const at = performance.now();
    await test.janus.crash();
    await Promise.all([first.phone.waitFor('closed'), second.phone.waitFor('closed')]);
    expect(performance.now() - at).toBeLessThan(2_000);
    for (const { callId } of [first, second])
      expect(await test.overOf(callId)).toMatchObject({ cause: 'gateway-lost' });
    expect(await test.voice().listLiveCalls()).toEqual([]);
    await test.janus.restart();
    await expect.poll(isLinked).toBe(true);
    const { phone } = await callIn('conv_killed', 440);
    expect(callsUp(phone.messages())).toBe(1);
  });

  it('ends a call that rings', async () => {
    const { phone, callId } = await ring();
    const at = performance.now();
    await test.janus.crash();
    await phone.waitFor('closed');
    expect(performance.now() - at).toBeLessThan(5_000);
    expect(await test.overOf(callId)).toMatchObject({ cause: 'gateway-lost' });
    await test.janus.restart();
    await expect.poll(isLinked).toBe(true);
  });
});

it('a Janus that stands still loses its calls within ten seconds', async () => {
  const { phone, callId } = await callIn('conv_still', 440);
  const at = performance.now();
  await test.janus.pause();
  await phone.waitFor('closed');
  expect(performance.now() - at).toBeLessThan(12_000);
  expect(await test.overOf(callId)).toMatchObject({ cause: 'gateway-lost' });
  await test.janus.resume();
  await expect.poll(isLinked).toBe(true);
});

it('a gateway that connects destroys the rooms that it has left in Janus, and none of another deployment', async () => {
  const { url, apiSecret, adminKey } = test.janus;
  const connection = await connectJanus({
    url,
    apiSecret,
    requestTimeoutMs: 10_000,
    keepAlive: { intervalMs: 10_000, timeoutMs: 10_000 },
    onListenerError: () => undefined,
  });
  const audio = await attachAudioBridge(connection, 'test');
  const video = await attachVideoRoom(connection, 'test');
  await audio.createRoom({
    room: 'conv_other',
    adminKey,
    secret: 'of another deployment',
    samplingRate: 16_000,
    allowRtpParticipants: false,
  });
  const { phone } = await callIn('conv_lost', 440);
  await test.gateway.link.current?.conferences.openVideoRoom('conv_lost');
  const rooms = async () => [...(await audio.listRooms(adminKey)), ...(await video.listRooms(adminKey))];
  expect((await rooms()).filter((name) => name.startsWith('conv_'))).toEqual(['conv_other', 'conv_lost', 'conv_lost']);
  // The connection is lost, Janus is not.
  await test.gateway.link.current?.connection.close();
  await phone.waitFor('closed');
  await expect.poll(isLinked).toBe(true);
  expect((await rooms()).filter((name) => name.startsWith('conv_'))).toEqual(['conv_other']);
  await audio.destroyRoom('conv_other', 'of another deployment');
  await connection.close();
});

it('a gateway that starts ends the calls that an earlier process of its name has left', async () => {
  const { phone } = await callIn('conv_left', 440);
  const next = startGateway(test.gatewayOptions);
  await phone.waitFor('closed');
  await next.close();
  // Kamailio sends the BYE to the gateway after the one to the phone.
  await expect.poll(() => test.voice().listLiveCalls()).toEqual([]);
  // The registration of the same name was replaced, and perhaps removed.
  await test.gateway.link.current?.connection.close();
  await expect.poll(isLinked).toBe(true);
});

it('a phone that does not answer its BYE has its call until it does', async () => {
  const { phone, callId } = await callIn('conv_frozen', 440);
  phone.freeze();
  const at = performance.now();
  await test.voice().hangUp(callId);
  // Longer than kamailio waits for other answers.
  await expect.poll(() => performance.now() - at).toBeGreaterThan(3_000);
  expect(await test.voice().getCall(callId)).toMatchObject({ over: false });
  expect(await test.voice().listLiveCalls()).toMatchObject([{ callId }]);
  phone.thaw();
  await phone.waitFor('closed');
  expect(await test.overOf(callId)).toMatchObject({ cause: 'hung-up' });
});

// The last, because the gateway registers again only after some time.
it('a kamailio that is killed leaves the sound of calls alone, and a call is hung up when it is back', async () => {
  const [first, second] = [await callIn('conv_edge', 440), await callIn('conv_edge', 1_050)];
  await test.kamailio.crash();
  await expect.poll(() => [hears(first.phone, 1_050), hears(second.phone, 440)]).toEqual([true, true]);
  await test.kamailio.restart();
  await test.voice().hangUp(first.callId);
  await first.phone.waitFor('closed');
  expect(await test.overOf(first.callId)).toMatchObject({ cause: 'hung-up' });
  await second.phone.hangUp();
  expect(await test.overOf(second.callId)).toMatchObject({ cause: 'hung-up' });
});
