import { headerOf } from '@partyline/dev/phones/sip-message';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { hears, startTestGateway, type TestGateway } from '../testing/test-gateway.ts';

let test: TestGateway;
beforeAll(async () => {
  test = await startTestGateway({ tls: true });
});
afterEach(() => test.hangUpPhones());
afterAll(() => test.stop());

const [ENCRYPTED_HZ, PLAIN_HZ] = [440, 1_050];
const join = (conversation: string) => ({ do: 'join', conversation, eventUrl: test.eventUrl }) as const;

/** Places a call that joins a conference when it is answered. */
function place(host: string, transport: 'tcp' | 'tls', conversation: string) {
  test.hooks.setReply('/v1/voice/answer/placed', () => ({ steps: [join(conversation)] }));
  return test.voice({ host, transport }).createCall({
    to: '+442079460018',
    from: '+12025550100',
    answerUrl: `${test.hooks.url}/v1/voice/answer/placed`,
    eventUrl: test.eventUrl,
    ringingTimerS: 30,
    lengthTimerS: 600,
  });
}

it('a call by TCP reaches a phone behind a trunk', async () => {
  const callee = await test.phone({ user: '+442079460018', answer: 'auto', microphone: { hz: ENCRYPTED_HZ } });
  const { callId } = await place(`127.0.0.1:${callee.sipPort}`, 'tcp', 'conv_tcp_out');
  await callee.waitFor('established');
  const invite = callee.messages().find(({ startLine }) => startLine.startsWith('INVITE'));
  expect(headerOf(invite!, 'via')).toMatch(/^SIP\/2\.0\/TCP/);
  await test.voice().hangUp(callId);
  await callee.waitFor('closed');
});

describe('a call by TLS, with encrypted sound,', () => {
  it('hears and is heard by a call that is not encrypted', async () => {
    const number = test.number([join('conv_encrypted')]);
    const encrypted = await test.phone({
      encrypts: true,
      outboundProxy: test.kamailio.tlsUri!,
      microphone: { hz: ENCRYPTED_HZ },
    });
    await encrypted.dial(test.uriOf(number));
    await encrypted.waitFor('established');
    const plain = await test.phone({ microphone: { hz: PLAIN_HZ } });
    await plain.dial(test.uriOf(number));
    await expect.poll(() => [hears(encrypted, PLAIN_HZ), hears(plain, ENCRYPTED_HZ)]).toEqual([true, true]);
    const answer = encrypted.messages().find(({ startLine }) => startLine.startsWith('SIP/2.0 200'));
    expect(answer?.body).toMatch(/^m=audio \d+ RTP\/SAVP .*^a=crypto:/ms);
    await encrypted.hangUp();
    await encrypted.waitFor('closed');
  });

  it('reaches a phone behind a trunk', async () => {
    const callee = await test.phone({
      user: '+442079460018',
      encrypts: true,
      answer: 'auto',
      microphone: { hz: ENCRYPTED_HZ },
    });
    const { callId } = await place(`127.0.0.1:${callee.sipPort + 1}`, 'tls', 'conv_encrypted_out');
    await callee.waitFor('established');
    const plain = await test.phone({ microphone: { hz: PLAIN_HZ } });
    await plain.dial(test.uriOf(test.number([join('conv_encrypted_out')])));
    await expect.poll(() => [hears(callee, PLAIN_HZ), hears(plain, ENCRYPTED_HZ)]).toEqual([true, true]);
    await test.voice().hangUp(callId);
    await callee.waitFor('closed');
    expect(await test.overOf(callId)).toMatchObject({ cause: 'hung-up' });
  });
});
