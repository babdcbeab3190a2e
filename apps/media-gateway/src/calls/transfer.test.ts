import type { CallPlan } from '@partyline/provider-contract/voice-provider';
import { DEADLINE_MARGIN_S } from '@partyline/provider-janus/voice/call-event';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { hears, HOLD_MUSIC_HZ, startTestGateway, type TestGateway } from '../testing/test-gateway.ts';

let test: TestGateway;
beforeAll(async () => {
  test = await startTestGateway();
});
afterEach(() => test.hangUpPhones());
afterAll(() => test.stop());

const [LISTENER_HZ, CALLER_HZ] = [440, 1_050];
const [QUESTION, BYE] = ['Please key your PIN.', 'Goodbye.'];

const join = (conversation: string, more: { startOnEnter?: boolean; endOnExit?: boolean; muted?: boolean } = {}) =>
  ({ do: 'join', conversation, eventUrl: test.eventUrl, ...more }) as const;

/** Dials a number with this plan. @returns the phone and its call */
async function dial(plan: Parameters<TestGateway['number']>[0], hz: number) {
  const phone = await test.phone({ user: `phone${hz}`, microphone: { hz } });
  const number = test.number(plan);
  await phone.dial(test.uriOf(number));
  const { callId } = await test.answerOf(number);
  return {
    phone,
    callId,
    transfer: (steps: CallPlan) => test.voice().transfer(callId, steps),
    moves: () => test.eventsOf(callId).filter(({ kind }) => kind === 'moved').length,
  };
}

describe('a call that gets another plan', () => {
  it('moves from one conference to another: heard there, and no longer here', async () => {
    const listener = await dial([join('conv_here')], LISTENER_HZ);
    const caller = await dial([join('conv_here')], CALLER_HZ);
    await expect.poll(() => hears(listener.phone, CALLER_HZ)).toBe(true);
    await expect.poll(() => hears(caller.phone, LISTENER_HZ)).toBe(true);
    await caller.transfer([join('conv_there')]);
    await expect.poll(() => hears(listener.phone, CALLER_HZ)).toBe(false);
    await expect.poll(() => hears(caller.phone, LISTENER_HZ)).toBe(false);
    expect(test.gateway.stateOf('conv_here').isHere).toBe(true);
    await listener.transfer([join('conv_there')]);
    await expect.poll(() => hears(listener.phone, CALLER_HZ)).toBe(true);
    await expect.poll(() => hears(caller.phone, LISTENER_HZ)).toBe(true);
    await expect.poll(() => test.gateway.stateOf('conv_here').isHere).toBe(false);
    await expect.poll(() => caller.moves()).toBe(2);
  });

  it('enters the conference again that it is in, muted as the plan says', async () => {
    const listener = await dial([join('conv_again')], LISTENER_HZ);
    const caller = await dial([join('conv_again')], CALLER_HZ);
    await expect.poll(() => hears(listener.phone, CALLER_HZ)).toBe(true);
    await caller.transfer([join('conv_again', { muted: true })]);
    await expect.poll(() => hears(listener.phone, CALLER_HZ)).toBe(false);
    await expect.poll(() => hears(caller.phone, LISTENER_HZ)).toBe(true);
    await caller.transfer([join('conv_again')]);
    await expect.poll(() => hears(listener.phone, CALLER_HZ)).toBe(true);
  });

  it('leaves a question, whose late reply it ignores, and can be asked again', async () => {
    const replied = Promise.withResolvers<unknown>();
    let keyed = 0;
    const replyUrl = test.digitsUrl(() => {
      keyed += 1;
      return keyed === 1 ? replied.promise : { steps: [{ do: 'say', text: BYE, language: 'en-US' }] };
    });
    const question = [
      { do: 'say', text: QUESTION, language: 'en-US' },
      { do: 'ask-digits', maxDigits: 1, timeoutS: 30, replyUrl },
    ] as const;
    const listener = await dial([join('conv_late')], LISTENER_HZ);
    const caller = await dial(question, CALLER_HZ);
    await expect.poll(() => hears(caller.phone, test.toneOf(QUESTION))).toBe(true);
    await caller.phone.pressKeys('1');
    await expect.poll(() => keyed).toBe(1);
    await caller.transfer([join('conv_late')]);
    await expect.poll(() => hears(listener.phone, CALLER_HZ)).toBe(true);
    replied.resolve({ steps: [] });
    await caller.transfer(question);
    await expect.poll(() => hears(caller.phone, test.toneOf(QUESTION))).toBe(true);
    await expect.poll(() => hears(listener.phone, CALLER_HZ)).toBe(false);
    await caller.phone.pressKeys('2');
    await expect.poll(() => hears(caller.phone, test.toneOf(BYE))).toBe(true);
    await caller.phone.waitFor('closed');
    expect(await test.overOf(caller.callId)).toMatchObject({ cause: 'hung-up' });
  });

  it('waits with music and comes back, and ends no conference, though its exit would', async () => {
    const listener = await dial([join('conv_back')], LISTENER_HZ);
    const host = await dial([join('conv_back', { endOnExit: true })], CALLER_HZ);
    await expect.poll(() => hears(listener.phone, CALLER_HZ)).toBe(true);
    await host.transfer([join('hold_host', { startOnEnter: false })]);
    await expect
      .poll(() => [hears(host.phone, HOLD_MUSIC_HZ), hears(listener.phone, CALLER_HZ)])
      .toEqual([true, false]);
    await host.transfer([join('conv_back', { endOnExit: true })]);
    await expect.poll(() => hears(listener.phone, CALLER_HZ)).toBe(true);
    await expect.poll(() => [hears(host.phone, HOLD_MUSIC_HZ), hears(host.phone, LISTENER_HZ)]).toEqual([false, true]);
    await host.phone.hangUp();
    await listener.phone.waitFor('closed');
  });

  it('follows the last one of several', async () => {
    const listener = await dial([join('conv_last')], LISTENER_HZ);
    const caller = await dial([join('conv_first')], CALLER_HZ);
    await expect.poll(() => caller.moves()).toBe(1);
    for (const conversation of ['conv_second', 'conv_last', 'conv_second', 'conv_last'])
      await caller.transfer([join(conversation)]);
    await expect.poll(() => [hears(caller.phone, LISTENER_HZ), hears(listener.phone, CALLER_HZ)]).toEqual([true, true]);
    await expect
      .poll(() => ['conv_first', 'conv_second'].map((name) => test.gateway.stateOf(name).isHere))
      .toEqual([false, false]);
  });

  it('takes the deadline of a plan that it follows already', async () => {
    const caller = await dial([join('conv_deadline')], CALLER_HZ);
    await expect.poll(() => caller.moves()).toBe(1);
    const deadline = new Date(Date.now() - DEADLINE_MARGIN_S * 1_000 + 1_000);
    await caller.transfer([{ ...join('conv_deadline'), deadline }]);
    await caller.phone.waitFor('closed');
    expect(caller.moves()).toBe(1);
  });

  it('keeps a deadline that was moved before its plan joins', async () => {
    const minutes = (count: number) => new Date(Date.now() + count * 60_000);
    const number = test.number([
      { do: 'say', text: QUESTION, language: 'en-US' },
      { ...join('conv_moved'), lengthTimerS: 600 },
    ]);
    const phone = await test.phone();
    await phone.dial(test.uriOf(number));
    const { callId } = await test.answerOf(number);
    await expect.poll(() => hears(phone, test.toneOf(QUESTION))).toBe(true);
    await test.voice().setDeadline(callId, minutes(60));
    await expect.poll(() => test.eventsOf(callId).some(({ kind }) => kind === 'moved')).toBe(true);
    const call = await test.voice().getCall(callId);
    expect(call?.deadline?.getTime()).toBeGreaterThan(minutes(30).getTime());
  });

  it('gets none while it ends', async () => {
    const caller = await dial([join('conv_ending')], CALLER_HZ);
    await expect.poll(() => caller.moves()).toBe(1);
    const hungUp = test.voice().hangUp(caller.callId);
    const moved = caller.transfer([join('conv_too_late')]).catch(({ failure }) => failure);
    await hungUp;
    // Either request may come first.
    if ((await moved) !== undefined) expect(await moved).toBe('not-found');
    await test.overOf(caller.callId);
    expect(await caller.transfer([join('conv_too_late')]).catch(({ failure }) => failure)).toBe('not-found');
  });

  it('goes on with a plan that comes twice', async () => {
    const caller = await dial([join('conv_first')], CALLER_HZ);
    await expect.poll(() => caller.moves()).toBe(1);
    await caller.transfer([join('conv_twice')]);
    await expect.poll(() => caller.moves()).toBe(2);
    await caller.transfer([join('conv_twice')]);
    await caller.transfer([join('conv_first')]);
    await expect.poll(() => test.gateway.stateOf('conv_twice').isHere).toBe(false);
    await expect.poll(() => caller.moves()).toBe(3);
  });
});
