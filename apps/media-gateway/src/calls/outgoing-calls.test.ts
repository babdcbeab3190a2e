import { isAuthorized, requestsOf } from '@partyline/dev/phones/sip-message';
import type { CreateCall } from '@partyline/provider-contract/voice-provider';
import { listDialogs } from '@partyline/provider-janus/dialogs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ACCOUNT, hears, startTestGateway, type TestGateway } from '../testing/test-gateway.ts';

let test: TestGateway;
beforeAll(async () => {
  test = await startTestGateway({ maxCalls: 4 });
});
afterEach(() => test.hangUpPhones());
afterAll(() => test.stop());

const [TO, FROM] = ['+442079460018', '+12025550100'];
const PASSWORD = 'pass "word" with spaces:';
let legs = 0;

/** A phone that is reached at the called number. */
const calledPhone = (options: Parameters<TestGateway['phone']>[0] = {}) => test.phone({ user: TO, ...options });

/** Places a call at a trunk, which follows the steps when it is answered. */
async function place(
  phone: { sipPort: number },
  {
    steps = [{ do: 'join', conversation: 'conv_out', eventUrl: test.eventUrl }] as readonly unknown[],
    trunk = {},
    ...more
  }: { steps?: readonly unknown[]; trunk?: object } & Partial<CreateCall> = {},
): Promise<{ callId: string; hangUp: () => Promise<void>; answerPath: string }> {
  const answerPath = `/v1/voice/answer/leg_${(legs += 1)}`;
  test.hooks.setReply(answerPath, () => ({ steps }));
  const voice = test.voice({ host: `127.0.0.1:${phone.sipPort}`, ...trunk });
  const { callId } = await voice.createCall({
    to: TO,
    from: FROM,
    answerUrl: `${test.hooks.url}${answerPath}`,
    eventUrl: test.eventUrl,
    ringingTimerS: 30,
    lengthTimerS: 600,
    ...more,
  });
  return { callId, hangUp: () => voice.hangUp(callId), answerPath };
}

const phasesOf = (callId: string): string[] =>
  test.eventsOf(callId).map((event) => (event.kind === 'call' ? event.phase : event.kind));
const waitForPhase = async (callId: string, phase: string): Promise<void> => {
  await expect.poll(() => phasesOf(callId), { message: `the call is ${phase}` }).toContain(phase);
};

describe('an outgoing call', () => {
  it('rings, is answered, and follows its plan', async () => {
    const phone = await calledPhone({ microphone: { hz: 440 } });
    const { callId, hangUp, answerPath } = await place(phone, {
      steps: [
        { do: 'say', text: 'You are invited.', language: 'en-US' },
        { do: 'join', conversation: 'conv_rings', eventUrl: test.eventUrl },
      ],
    });
    await phone.waitFor('incoming');
    await waitForPhase(callId, 'ringing');
    await phone.answer();
    await expect.poll(() => hears(phone, test.toneOf('You are invited.'))).toBe(true);
    await waitForPhase(callId, 'moved');
    const { body } = await test.hooks.waitFor(answerPath);
    expect(body).toEqual({ callId, from: FROM, to: TO, headers: {} });
    await hangUp();
    await phone.waitFor('closed');
    expect(await test.overOf(callId)).toMatchObject({ cause: 'hung-up' });
    expect(phasesOf(callId)).toEqual(['ringing', 'answered', 'moved', 'over']);
  });

  it('shows the number of the conference, and none of our headers', async () => {
    const phone = await calledPhone({ answer: 'auto' });
    const { callId } = await place(phone);
    await phone.waitFor('established');
    const [invite] = requestsOf(phone.messages(), 'INVITE');
    const headers = invite?.headers.filter(([name]) => /^(from|p-asserted|call-id|x-|proxy-auth|auth)/i.test(name));
    expect(headers).toEqual([
      ['From', expect.stringContaining(`<sip:${FROM}@`)],
      ['Call-ID', callId],
      ['P-Asserted-Identity', expect.stringContaining(`<sip:${FROM}@`)],
    ]);
  });

  it.each(['PCMU', 'PCMA', 'G722', 'opus'] as const)('is heard and hears in %s', async (codec) => {
    const phone = await calledPhone({ answer: 'auto', codecs: [codec], microphone: { hz: 440 } });
    const listener = await calledPhone({ answer: 'auto', microphone: { hz: 1_050 } });
    const steps = [{ do: 'join', conversation: `conv_out_${codec}`, eventUrl: test.eventUrl }];
    await place(phone, { steps });
    await place(listener, { steps });
    await expect.poll(() => [hears(listener, 440), hears(phone, 1_050)]).toEqual([true, true]);
  });

  it('is listed by kamailio with its id and its account from the first moment', async () => {
    const phone = await calledPhone();
    const { callId } = await place(phone);
    await phone.waitFor('incoming');
    const rpc = { url: test.kamailio.rpcUrl, secret: test.kamailio.rpcSecret };
    const dialogs = async () => (await listDialogs(rpc, 5_000)).dialogs;
    expect(await dialogs()).toMatchObject([{ callId, account: ACCOUNT, direction: 'outbound', isAnswered: false }]);
    await phone.answer();
    await phone.waitFor('established');
    await expect.poll(dialogs).toMatchObject([{ callId, isAnswered: true }]);
  });

  it('hears the sound of early media only as ringing, and then joins', async () => {
    const callee = await test.callee({ earlyMedia: [{ silenceMs: 300 }], end: 'wait-for-bye' });
    const { callId, hangUp } = await place(callee);
    await waitForPhase(callId, 'moved');
    await hangUp();
    expect(await callee.finished).toMatchObject({ exitCode: 0 });
    await test.overOf(callId);
    expect(phasesOf(callId)).toEqual(['ringing', 'answered', 'moved', 'over']);
  });

  it.each([
    [486, 'Busy Here', 'busy'],
    [600, 'Busy Everywhere', 'busy'],
    [603, 'Decline', 'rejected'],
    [480, 'Temporarily Unavailable', 'unanswered'],
    [404, 'Not Found', 'unroutable'],
    [484, 'Address Incomplete', 'unroutable'],
    [403, 'Forbidden', 'failed'],
    [488, 'Not Acceptable Here', 'failed'],
    [500, 'Server Internal Error', 'failed'],
  ])('that gets %i %s is over as %s', async (status, reason, cause) => {
    const callee = await test.callee({ refuseWith: [status, reason] });
    const { callId } = await place(callee);
    expect(await test.overOf(callId)).toMatchObject({ cause, sipCode: status });
    expect(await callee.finished).toMatchObject({ exitCode: 0 });
  });

  it('is cancelled when it is not answered in time', async () => {
    const callee = await test.callee({ neverAnswers: true });
    const { callId } = await place(callee, { ringingTimerS: 1 });
    expect(await test.overOf(callId)).toMatchObject({ cause: 'unanswered' });
    expect(await callee.finished).toMatchObject({ exitCode: 0 });
  });

  it('is cancelled by a hang-up while it rings', async () => {
    const callee = await test.callee({ neverAnswers: true });
    const { callId, hangUp } = await place(callee);
    await waitForPhase(callId, 'ringing');
    await hangUp();
    expect(await test.overOf(callId)).toMatchObject({ cause: 'cancelled' });
    expect(await callee.finished).toMatchObject({ exitCode: 0 });
  });

  it('rings nowhere, or not for long, after a hang-up in its first moment', async () => {
    const phone = await calledPhone();
    for (let count = 0; count < 5; count += 1) {
      const { callId, hangUp } = await place(phone);
      await hangUp();
      expect(await test.overOf(callId)).toMatchObject({ cause: 'cancelled' });
    }
    await expect
      .poll(() => phone.events().filter(({ kind }) => kind === 'incoming').length)
      .toBe(phone.events().filter(({ kind }) => kind === 'closed').length);
  });

  it('ends at its length timer', async () => {
    const phone = await calledPhone({ answer: 'auto' });
    const { callId } = await place(phone, { lengthTimerS: 1 });
    await phone.waitFor('established');
    await phone.waitFor('closed');
    expect(await test.overOf(callId)).toMatchObject({ cause: 'max-duration' });
  });

  it('is over when the phone hangs up', async () => {
    const phone = await calledPhone({ answer: 'auto' });
    const { callId } = await place(phone);
    await phone.waitFor('established');
    await phone.hangUp();
    expect(await test.overOf(callId)).toMatchObject({ cause: 'hung-up' });
  });

  it('fails with 403 to a host that is no trunk, and with another code to none', async () => {
    const stranger = await place({ sipPort: 1 }, { trunk: { host: '127.0.0.9:5060' } });
    expect(await test.overOf(stranger.callId)).toMatchObject({ cause: 'failed', sipCode: 403 });
    const nobody = await place({ sipPort: 1 });
    expect(await test.overOf(nobody.callId)).toMatchObject({ phase: 'over' });
  });

  it.each([401, 407] as const)('answers the challenge %i of its trunk', async (status) => {
    const callee = await test.callee({ challenge: { status, realm: 'trunk.example' }, end: 'wait-for-bye' });
    const { callId, hangUp } = await place(callee, { trunk: { username: 'anna', password: PASSWORD } });
    await waitForPhase(callId, 'moved');
    await hangUp();
    expect(await callee.finished).toMatchObject({ exitCode: 0 });
    const [first, second] = requestsOf(callee.messages(), 'INVITE');
    expect(second && isAuthorized(second, PASSWORD)).toBe(true);
    expect(first?.headers.filter(([name]) => /trunk|auth/i.test(name))).toEqual([]);
    const texts = [
      ...test.log,
      ...callee.messages().flatMap(({ headers }) => headers.map((header) => header.join(': '))),
    ];
    expect(texts.join('\n')).not.toMatch(/pass "word"|cGFzcyAi/);
  });

  it('fails with 403 when its trunk challenges and the account has no credentials', async () => {
    const callee = await test.callee({ challenge: { status: 401, realm: 'trunk.example' } });
    const { callId } = await place(callee);
    expect(await test.overOf(callId)).toMatchObject({ cause: 'failed', sipCode: 403 });
  });

  it('is held and resumed by the phone', async () => {
    const steps = [{ do: 'join', conversation: 'conv_out_hold', eventUrl: test.eventUrl }];
    const phone = await calledPhone({ answer: 'auto', microphone: { hz: 440 } });
    const listener = await calledPhone({ answer: 'auto', microphone: { hz: 1_050 } });
    await place(phone, { steps });
    await place(listener, { steps });
    await expect.poll(() => hears(phone, 1_050)).toBe(true);
    await phone.hold();
    await expect.poll(() => requestsOf(phone.messages(), 'INVITE', 'sent').length).toBe(1);
    await phone.resume();
    await expect.poll(() => [hears(phone, 1_050), hears(listener, 440)]).toEqual([true, true]);
  });

  it('gets keys by SIP INFO when it takes no telephone events', async () => {
    const callee = await test.callee({ eventType: 'none', end: 'wait-for-bye' });
    const { callId, hangUp } = await place(callee);
    await waitForPhase(callId, 'moved');
    await test.voice().sendDigits(callId, '1p#');
    await expect
      .poll(() => requestsOf(callee.messages(), 'INFO', 'received').map(({ body }) => /Signal=\s*(.)/.exec(body)?.[1]))
      .toEqual(['1', '#']);
    await hangUp();
    await callee.finished;
  });

  it('is rejected when the gateway has as many calls as it takes', async () => {
    const first = await calledPhone();
    for (const phone of [first, await calledPhone(), await calledPhone(), await calledPhone()]) {
      await place(phone);
      await phone.waitFor('incoming');
    }
    await expect(place(first)).rejects.toMatchObject({ failure: 'busy' });
    const caller = await test.caller(test.number([]), { refusedWith: 503 });
    expect(await caller.finished).toMatchObject({ exitCode: 0 });
  });
});
