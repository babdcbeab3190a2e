import { requestsOf } from '@partyline/dev/phones/sip-message';
import { canSendSound } from '@partyline/dev/phones/sipp';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { hears, HOLD_MUSIC_HZ, startTestGateway, type TestGateway } from '../testing/test-gateway.ts';

let test: TestGateway;
beforeAll(async () => {
  test = await startTestGateway();
});
afterEach(() => test.hangUpPhones());
afterAll(() => test.stop());

const WELCOME = 'Welcome.';
const [LISTENER_HZ, CALLER_HZ] = [440, 1_050];

/** Returns a number that says a text and then joins the conference. */
function joiningNumber(conversation: string, more: { startOnEnter?: boolean; endOnExit?: boolean } = {}): string {
  return test.number([
    { do: 'say', text: WELCOME, language: 'en-US' },
    { do: 'join', conversation, eventUrl: test.eventUrl, ...more },
  ]);
}

describe('a call', () => {
  it.each(['PCMU', 'PCMA', 'G722', 'opus'] as const)(
    'in %s hears prompts and the others, and is heard',
    async (codec) => {
      const number = joiningNumber(`conv_${codec}`);
      const listener = await test.phone({ user: 'listener', microphone: { hz: LISTENER_HZ } });
      await listener.dial(test.uriOf(number));
      const caller = await test.phone({ codecs: [codec], microphone: { hz: CALLER_HZ } });
      await caller.dial(test.uriOf(number));
      await expect.poll(() => hears(caller, test.toneOf(WELCOME))).toBe(true);
      await expect.poll(() => [hears(caller, LISTENER_HZ), hears(listener, CALLER_HZ)]).toEqual([true, true]);
      const calls = test.gateway.calls.listLive();
      expect(calls).toHaveLength(2);
    },
  );

  it.each([10, 30, 40, 60])('with packets of %i ms is heard', async (ptimeMs) => {
    const number = joiningNumber(`conv_ptime_${ptimeMs}`);
    const listener = await test.phone({ user: 'listener' });
    await listener.dial(test.uriOf(number));
    const caller = await test.phone({ ptimeMs, microphone: { hz: CALLER_HZ } });
    await caller.dial(test.uriOf(number));
    await expect.poll(() => hears(listener, CALLER_HZ)).toBe(true);
  });

  it.runIf(canSendSound).each([
    ['that offers static payload types without rtpmap', { omitStaticRtpmap: true, codecs: ['PCMA', 'PCMU'] as const }],
    ['that offers nothing in its INVITE', { offerless: true }],
    ['that offers no telephone events', { eventType: 'none' as const }],
  ])('%s is heard', async (_what, scenario) => {
    const conversation = `conv_offer_${Object.keys(scenario)[0]}`;
    const number = joiningNumber(conversation);
    const listener = await test.phone({ user: 'listener' });
    await listener.dial(test.uriOf(number));
    await test.caller(number, { ...scenario, steps: [{ play: [{ hz: CALLER_HZ, ms: 20_000 }] }] });
    await expect.poll(() => hears(listener, CALLER_HZ)).toBe(true);
  });

  it.runIf(canSendSound)('is heard after a re-INVITE without an offer, which refreshes its session', async () => {
    const number = joiningNumber('conv_refresh');
    const listener = await test.phone({ user: 'listener' });
    await listener.dial(test.uriOf(number));
    const sound = { play: [{ hz: CALLER_HZ, ms: 20_000 }], wait: false };
    const steps = [sound, { pauseMs: 1_000 }, { renegotiate: 'offerless' as const }, { pauseMs: 10_000 }];
    const caller = await test.caller(number, { steps });
    await expect.poll(() => requestsOf(caller.messages(), 'ACK', 'sent').length).toBe(2);
    await expect.poll(() => hears(listener, CALLER_HZ)).toBe(true);
  });

  it('that is on hold hears nothing and is not heard, until it resumes', async () => {
    const number = joiningNumber('conv_hold');
    const listener = await test.phone({ user: 'listener', microphone: { hz: LISTENER_HZ } });
    await listener.dial(test.uriOf(number));
    const caller = await test.phone({ microphone: { hz: CALLER_HZ } });
    await caller.dial(test.uriOf(number));
    await expect.poll(() => [hears(caller, LISTENER_HZ), hears(listener, CALLER_HZ)]).toEqual([true, true]);
    await caller.hold();
    await expect.poll(() => [hears(caller, LISTENER_HZ), hears(listener, CALLER_HZ)]).toEqual([false, false]);
    await caller.resume();
    await expect.poll(() => [hears(caller, LISTENER_HZ), hears(listener, CALLER_HZ)]).toEqual([true, true]);
  });
});

describe('a conference', () => {
  it('plays music to callers until a member starts it', async () => {
    const waiting = joiningNumber('conv_music', { startOnEnter: false });
    const [first, second] = [
      await test.phone({ user: 'first', microphone: { hz: LISTENER_HZ } }),
      await test.phone({ user: 'second', microphone: { hz: CALLER_HZ } }),
    ];
    for (const phone of [first, second]) {
      await phone.dial(test.uriOf(waiting));
      await expect.poll(() => hears(phone, HOLD_MUSIC_HZ)).toBe(true);
    }
    await expect.poll(() => [hears(first, CALLER_HZ), hears(second, LISTENER_HZ)]).toEqual([false, false]);
    const host = await test.phone({ user: 'host' });
    await host.dial(test.uriOf(joiningNumber('conv_music')));
    await expect.poll(() => [hears(first, CALLER_HZ), hears(second, LISTENER_HZ)]).toEqual([true, true]);
    await expect.poll(() => [first, second].some((phone) => hears(phone, HOLD_MUSIC_HZ))).toBe(false);
  });

  it('ends for all when a member leaves whose exit ends it', async () => {
    const host = await test.phone({ user: 'host', microphone: { hz: LISTENER_HZ } });
    await host.dial(test.uriOf(joiningNumber('conv_exit', { endOnExit: true })));
    const guest = await test.phone({ user: 'guest' });
    await guest.dial(test.uriOf(joiningNumber('conv_exit')));
    await expect.poll(() => hears(guest, LISTENER_HZ)).toBe(true);
    await host.hangUp();
    await guest.waitFor('closed');
  });

  it('goes on when another member leaves', async () => {
    const number = joiningNumber('conv_goes_on');
    const [first, second, third] = [
      await test.phone({ user: 'first', microphone: { hz: LISTENER_HZ } }),
      await test.phone({ user: 'second' }),
      await test.phone({ user: 'third', microphone: { hz: CALLER_HZ } }),
    ];
    for (const phone of [first, second, third]) await phone.dial(test.uriOf(number));
    await expect.poll(() => [hears(second, LISTENER_HZ), hears(second, CALLER_HZ)]).toEqual([true, true]);
    await first.hangUp();
    await expect.poll(() => hears(second, LISTENER_HZ)).toBe(false);
    await expect.poll(() => hears(second, CALLER_HZ)).toBe(true);
  });

  it('is not heard in another conference', async () => {
    const [one, other] = [
      await test.phone({ user: 'one', microphone: { hz: LISTENER_HZ } }),
      await test.phone({ user: 'other' }),
    ];
    const third = await test.phone({ user: 'third' });
    await one.dial(test.uriOf(joiningNumber('conv_a')));
    await other.dial(test.uriOf(joiningNumber('conv_b')));
    await third.dial(test.uriOf(joiningNumber('conv_a')));
    await expect.poll(() => hears(third, LISTENER_HZ)).toBe(true);
    await expect.poll(() => hears(other, LISTENER_HZ)).toBe(false);
  });
});

describe('a call in its conference', () => {
  async function joinTwo(conversation: string) {
    const number = joiningNumber(conversation);
    const listener = await test.phone({ user: 'listener', microphone: { hz: LISTENER_HZ } });
    await listener.dial(test.uriOf(number));
    await test.answerOf(number);
    const caller = await test.phone({ microphone: { hz: CALLER_HZ } });
    await caller.dial(test.uriOf(number));
    const { callId } = await test.answerOf(number);
    await expect.poll(() => [hears(caller, LISTENER_HZ), hears(listener, CALLER_HZ)]).toEqual([true, true]);
    return { listener, caller, callId, voice: test.voice() };
  }

  it('is muted and unmuted', async () => {
    const { listener, caller, callId, voice } = await joinTwo('conv_mute');
    await voice.mute(callId, true);
    await expect.poll(() => hears(listener, CALLER_HZ)).toBe(false);
    await expect.poll(() => hears(caller, LISTENER_HZ)).toBe(true);
    await voice.mute(callId, false);
    await expect.poll(() => hears(listener, CALLER_HZ)).toBe(true);
  });

  it('joins muted when the plan says so, until it is unmuted', async () => {
    const listener = await test.phone({ user: 'listener' });
    await listener.dial(test.uriOf(joiningNumber('conv_muted')));
    const caller = await test.phone({ microphone: { hz: CALLER_HZ } });
    const number = test.number([{ do: 'join', conversation: 'conv_muted', eventUrl: test.eventUrl, muted: true }]);
    await caller.dial(test.uriOf(number));
    const { callId } = await test.answerOf(number);
    await expect.poll(() => test.eventsOf(callId).some(({ kind }) => kind === 'moved')).toBe(true);
    await expect.poll(() => hears(listener, CALLER_HZ)).toBe(false);
    await test.voice().mute(callId, false);
    await expect.poll(() => hears(listener, CALLER_HZ)).toBe(true);
  });

  it('hears a text of its own, and then the others again', async () => {
    const { listener, caller, callId, voice } = await joinTwo('conv_say');
    await voice.say(callId, 'One minute left.', 'en-GB');
    await expect.poll(() => hears(caller, test.toneOf('One minute left.'))).toBe(true);
    await expect.poll(() => hears(listener, test.toneOf('One minute left.'))).toBe(false);
    await expect.poll(() => hears(caller, LISTENER_HZ)).toBe(true);
  });

  it('gets keys', async () => {
    const { caller, callId, voice } = await joinTwo('conv_keys');
    await voice.sendDigits(callId, '12p#*0');
    await expect.poll(() => caller.keysReceived()).toBe('12#*0');
    await expect.poll(() => hears(caller, LISTENER_HZ)).toBe(true);
  });

  it('is hung up', async () => {
    const { caller, callId, voice } = await joinTwo('conv_hang_up');
    await voice.hangUp(callId);
    await caller.waitFor('closed');
    expect(await test.overOf(callId)).toMatchObject({ cause: 'hung-up' });
    expect(await voice.getCall(callId)).toMatchObject({ over: true });
  });
});
