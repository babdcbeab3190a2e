import type { BaresipPhone } from '@partyline/dev/phones/baresip';
import { requestsOf } from '@partyline/dev/phones/sip-message';
import { canSendSound } from '@partyline/dev/phones/sipp';
import { WebhookFault } from '@partyline/provider-contract/testing/webhook-receiver';
import { listDialogs } from '@partyline/provider-janus/dialogs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { TECHNICAL_DIFFICULTIES } from './run-plan.ts';
import { ACCOUNT, hears, startTestGateway, type TestGateway } from '../testing/test-gateway.ts';

let test: TestGateway;
beforeAll(async () => {
  test = await startTestGateway({ maxCalls: 3, mediaTimeoutMs: 2_000 });
});
afterEach(() => test.hangUpPhones());
afterAll(() => test.stop());

const CALLER = '+447700900123';
const join = (conversation: string) => ({ do: 'join', conversation, eventUrl: test.eventUrl }) as const;

/** Returns a number whose answer webhook gets its reply when the test decides. */
function undecidedNumber(): { number: string; asked: Promise<void>; decide: () => void } {
  const asked = Promise.withResolvers<void>();
  const decided = Promise.withResolvers<void>();
  const number = test.number(async () => {
    asked.resolve();
    await decided.promise;
    return { steps: [join('conv_decided')] };
  });
  return { number, asked: asked.promise, decide: decided.resolve };
}

/** The final response to the first INVITE of a phone. */
const finalResponse = (phone: Pick<BaresipPhone, 'messages'>) =>
  phone
    .messages()
    .find(({ status = 0, headers }) => status >= 200 && headers.some(([, value]) => value.endsWith(' INVITE')));
const finalStatus = (phone: Pick<BaresipPhone, 'messages'>): number | undefined => finalResponse(phone)?.status;

describe('an incoming call', () => {
  it('states its caller and the called number, and reports its phases in order', async () => {
    const number = test.number([join('conv_phases')]);
    const phone = await test.phone({ user: CALLER });
    await phone.dial(test.uriOf(number));
    const answer = await test.answerOf(number);
    expect(answer).toMatchObject({ from: CALLER, to: number, headers: {} });
    await expect.poll(() => test.eventsOf(answer.callId).some(({ kind }) => kind === 'moved')).toBe(true);
    await phone.hangUp();
    expect(await test.overOf(answer.callId)).toMatchObject({ cause: 'hung-up' });
    const phases = test.eventsOf(answer.callId).map((event) => (event.kind === 'call' ? event.phase : event.kind));
    expect(phases).toEqual(['ringing', 'answered', 'moved', 'over']);
  });

  it.each([
    ['asserted by the network', { assertedIdentity: `sip:${CALLER}@trunk.example`, from: 'anna' }, CALLER],
    ['asserted as a tel URI', { assertedIdentity: `tel:${CALLER}`, from: 'anna' }, CALLER],
    ['without a plus', { from: CALLER.slice(1) }, CALLER],
    ['no number', { from: 'anna' }, null],
    ['anonymous', { anonymous: true }, null],
    [
      'anonymous, although the network asserts it',
      { anonymous: true, assertedIdentity: `sip:${CALLER}@trunk.example` },
      null,
    ],
  ])('has a caller who is %s', async (_what, scenario, from) => {
    const number = test.number([join('conv_callers')]);
    const phone = await test.caller(number, scenario);
    expect(await test.answerOf(number)).toMatchObject({ from, to: number });
    expect(await phone.finished).toMatchObject({ exitCode: 0 });
  });

  it('passes the header of the account to nobody, and trusts none of the caller', async () => {
    const number = test.number([join('conv_headers')]);
    const phone = await test.caller(number, {
      headers: [
        ['X-Partyline-Account', 'acct_other'],
        ['X-Partyline-Number', '+12025559999'],
      ],
    });
    expect(await test.answerOf(number)).toMatchObject({ to: number });
    expect((await phone.finished).exitCode).toBe(0);
    const ok = phone.messages().find(({ status, body }) => status === 200 && body !== '');
    expect(ok?.headers.filter(([name]) => /^x-/i.test(name))).toEqual([]);
    expect(test.hooks.received.map(({ body }) => JSON.stringify(body)).join()).not.toContain('acct_other');
  });

  it('is listed by kamailio with its id and its account', async () => {
    const number = test.number([join('conv_listed')]);
    const phone = await test.phone();
    await phone.dial(test.uriOf(number));
    const { callId } = await test.answerOf(number);
    await phone.waitFor('established');
    const { dialogs } = await listDialogs({ url: test.kamailio.rpcUrl, secret: test.kamailio.rpcSecret }, 5_000);
    expect(dialogs).toMatchObject([{ callId, account: ACCOUNT, direction: 'inbound', isAnswered: true }]);
  });

  it('is ended by kamailio at the deadline of its session', async () => {
    const number = test.number([{ ...join('conv_deadline'), lengthTimerS: 2 }]);
    const phone = await test.phone();
    await phone.dial(test.uriOf(number));
    const { callId } = await test.answerOf(number);
    await phone.waitFor('established');
    await phone.waitFor('closed');
    expect(await test.overOf(callId)).toMatchObject({ cause: 'hung-up' });
  });

  it('that is cancelled before the answer is never answered, and is over as cancelled', async () => {
    const { number, asked, decide } = undecidedNumber();
    const phone = await test.phone();
    await phone.dial(test.uriOf(number));
    await asked;
    await phone.hangUp();
    await phone.waitFor('closed');
    await expect.poll(() => test.gateway.calls.listLive()).toEqual([]);
    decide();
    const { callId } = await test.answerOf(number);
    expect(await test.overOf(callId)).toMatchObject({ cause: 'cancelled', sipCode: 487 });
    await expect.poll(() => finalStatus(phone)).toBe(487);
    expect(test.eventsOf(callId).some((event) => event.kind === 'call' && event.phase === 'answered')).toBe(false);
  });

  it('with an empty plan is rejected without an answer, once', async () => {
    const number = test.number([]);
    const phone = await test.phone();
    await phone.dial(test.uriOf(number));
    await phone.waitFor('closed');
    await expect.poll(() => finalStatus(phone)).toBe(603);
    const { callId } = await test.answerOf(number);
    expect(await test.overOf(callId)).toMatchObject({ cause: 'hung-up' });
    expect(
      test.hooks.received.filter(
        ({ path, body }) => path === '/v1/voice/answer' && JSON.stringify(body).includes(number),
      ),
    ).toHaveLength(1);
  });

  it.each([
    ['unknown-number', 404, 'unroutable'],
    ['unavailable', 480, 'unanswered'],
    ['busy', 486, 'busy'],
  ] as const)('with a plan that rejects it (%s) gets %i without an answer, once', async (reason, status, cause) => {
    const number = test.number([{ do: 'reject', reason, text: 'Not heard.', language: 'en-US' }]);
    const phone = await test.phone();
    await phone.dial(test.uriOf(number));
    await phone.waitFor('closed');
    await expect.poll(() => finalStatus(phone)).toBe(status);
    expect(finalResponse(phone)?.headers.filter(([name]) => /^x-/i.test(name))).toEqual([]);
    const { callId } = await test.answerOf(number);
    expect(await test.overOf(callId)).toMatchObject({ cause, sipCode: status });
    expect(test.eventsOf(callId).some((event) => event.kind === 'call' && event.phase === 'answered')).toBe(false);
    expect(
      test.hooks.received.filter(
        ({ path, body }) => path === '/v1/voice/answer' && JSON.stringify(body).includes(number),
      ),
    ).toHaveLength(1);
  });

  it('hears why a later plan rejects it, because it is answered', async () => {
    const text = 'This number is busy.';
    const reject = { do: 'reject', reason: 'busy', text, language: 'en-US' } as const;
    const replyUrl = test.digitsUrl(() => ({ steps: [reject] }));
    const number = test.number([{ do: 'ask-digits', maxDigits: 1, timeoutS: 1, replyUrl }]);
    const phone = await test.phone();
    await phone.dial(test.uriOf(number));
    await expect.poll(() => hears(phone, test.toneOf(text))).toBe(true);
    await phone.waitFor('closed');
  });

  it('is hung up while it rings', async () => {
    const { number, asked, decide } = undecidedNumber();
    const phone = await test.phone();
    await phone.dial(test.uriOf(number));
    await asked;
    const callId = test.gateway.calls
      .listLive()
      .map(({ facts }) => facts.callId)
      .join();
    await test.voice().hangUp(callId);
    await phone.waitFor('closed');
    await expect.poll(() => finalStatus(phone)).toBe(603);
    expect(await test.overOf(callId)).toMatchObject({ cause: 'hung-up' });
    decide();
  });

  it.each(['unavailable', 'failing', 'silence', 'not-json', 'reset'] as const)(
    'hears an apology and is hung up when its answer webhook fails (%s)',
    async (fault) => {
      const number = test.number(() => new WebhookFault(fault));
      const phone = await test.phone();
      await phone.dial(test.uriOf(number));
      await expect.poll(() => hears(phone, test.toneOf(TECHNICAL_DIFFICULTIES.text))).toBe(true);
      await phone.waitFor('closed');
      const { callId } = await test.answerOf(number);
      expect(await test.overOf(callId)).toMatchObject({ cause: 'hung-up' });
    },
  );

  it('hears an apology and is hung up when its digits webhook fails', async () => {
    const replyUrl = test.digitsUrl(() => new WebhookFault('unavailable'));
    const number = test.number([{ do: 'ask-digits', maxDigits: 1, timeoutS: 1, replyUrl }]);
    const phone = await test.phone();
    await phone.dial(test.uriOf(number));
    await expect.poll(() => hears(phone, test.toneOf(TECHNICAL_DIFFICULTIES.text))).toBe(true);
    await phone.waitFor('closed');
  });

  it('without a common codec is rejected with 488', async () => {
    const number = test.number([join('conv_codec')]);
    const phone = await test.caller(number, { refusedWith: 488, codecs: ['G729'] });
    expect(await phone.finished).toMatchObject({ exitCode: 0 });
    expect(test.hooks.received.some(({ body }) => JSON.stringify(body).includes(number))).toBe(false);
  });

  it('is rejected at once when the gateway has as many calls as it takes', async () => {
    const number = test.number([join('conv_full')]);
    const first = await test.phone();
    const phones = [first, await test.phone(), await test.phone()];
    for (const phone of phones) {
      await phone.dial(test.uriOf(number));
      await phone.waitFor('established');
    }
    const late = await test.phone();
    const at = performance.now();
    await late.dial(test.uriOf(number));
    await late.waitFor('closed');
    await expect.poll(() => finalStatus(late)).toBe(503);
    expect(finalResponse(late)?.headers).toContainEqual(['Retry-After', '5']);
    expect(performance.now() - at).toBeLessThan(1_500);
    await first.hangUp();
    await expect.poll(() => test.gateway.calls.listLive().length).toBe(2);
    // The line of an ended call is replaced.
    await late.dial(test.uriOf(number));
    await late.waitFor('established');
  });

  it('of a phone that has vanished is over after the time without packets', async () => {
    const number = test.number([join('conv_vanished')]);
    const phone = await test.phone();
    await phone.dial(test.uriOf(number));
    await phone.waitFor('established');
    const { callId } = await test.answerOf(number);
    await phone.vanish();
    expect(await test.overOf(callId)).toMatchObject({ cause: 'media-timeout' });
  });

  it('that is on hold may be silent for longer than the time without packets', async () => {
    const number = test.number([join('conv_silent_hold')]);
    // It sends nothing, before the hold and during it.
    const phone = await test.caller(number, {
      steps: [{ pauseMs: 200 }, { renegotiate: 'inactive' }, { pauseMs: 4_000 }],
    });
    expect(await phone.finished).toMatchObject({ exitCode: 0 });
    const { callId } = await test.answerOf(number);
    expect(await test.overOf(callId)).toMatchObject({ cause: 'hung-up' });
  });

  it.runIf(canSendSound)('of a phone that sends only comfort noise stays up', async () => {
    const number = test.number([join('conv_comfort')]);
    const phone = await test.caller(number, { steps: [{ play: [{ comfortNoiseMs: 4_000 }] }] });
    expect(await phone.finished).toMatchObject({ exitCode: 0 });
  });

  it('rejects a transfer by its phone', async () => {
    const number = test.number([join('conv_transfer')]);
    const phone = await test.phone();
    await phone.dial(test.uriOf(number));
    await phone.waitFor('established');
    await phone.transfer(test.uriOf('+12025559999'));
    await expect
      .poll(() => requestsOf(phone.messages(), 'NOTIFY').map(({ body }) => body))
      .toContainEqual(expect.stringMatching(/^SIP\/2\.0 603/));
  });

  it('gets a BYE when its plan ends', async () => {
    const number = test.number([{ do: 'say', text: 'Goodbye.', language: 'en-US' }]);
    const phone = await test.phone();
    await phone.dial(test.uriOf(number));
    await phone.waitFor('closed');
    expect(requestsOf(phone.messages(), 'BYE', 'received')).toHaveLength(1);
  });

  it('is not logged with its numbers', () => {
    expect(test.log.join('')).not.toMatch(/\+?1202555\d{4}|447700900123/);
  });
});
