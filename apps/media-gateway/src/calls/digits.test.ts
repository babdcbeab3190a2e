import type { CallStep } from '@partyline/dev/phones/sipp-scenario';
import type { SoundPart } from '@partyline/dev/phones/rtp-script';
import { canSendSound } from '@partyline/dev/phones/sipp';
import { digitsWebhook } from '@partyline/provider-janus/wire';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hears, startTestGateway, type TestGateway } from '../testing/test-gateway.ts';

let test: TestGateway;
beforeAll(async () => {
  test = await startTestGateway({
    maxCalls: 20,
    // The 6 s of production are not enough for fifteen calls at once when other processes have both cores.
    decideMs: 30_000,
  });
});
afterAll(() => test.stop());

const PROMPT = 'Please enter your PIN.';
/** The media connection of a call is up by then, also on a busy machine. */
const BEFORE: SoundPart = { silenceMs: 4_000 };
const AFTER: SoundPart = { silenceMs: 500 };

/** Returns a number that asks for keys, and the keys that it got. */
function askForDigits({ maxDigits = 20, timeoutS = 5 } = {}): {
  number: string;
  digits: () => Promise<{ digits: string; timedOut: boolean }>;
} {
  const received = Promise.withResolvers<{ digits: string; timedOut: boolean }>();
  const replyUrl = test.digitsUrl((body) => {
    const { digits, timedOut } = digitsWebhook.parse(body);
    received.resolve({ digits, timedOut });
    return { steps: [] };
  });
  const number = test.number([
    { do: 'say', text: PROMPT, language: 'en-US', bargeIn: true },
    { do: 'ask-digits', maxDigits, timeoutS, replyUrl },
  ]);
  return { number, digits: () => received.promise };
}

describe.runIf(canSendSound)('keys of a telephone', { concurrent: true }, () => {
  it.each<[string, CallStep[], string]>([
    ['as telephone events (RFC 4733)', [{ play: [BEFORE, { keys: '0123456789*1#' }, AFTER] }], '0123456789*1'],
    [
      'as telephone events in a quick row, with repeats',
      [{ play: [BEFORE, { keys: '1112223334#', keyMs: 60, gapMs: 40 }, AFTER] }],
      '1112223334',
    ],
    [
      'as telephone events of which two of three packets are lost',
      [{ play: [BEFORE, { keys: '1234567890#' }, AFTER], rtp: { isLost: (index) => index % 3 !== 0 } }],
      '1234567890',
    ],
    [
      'as telephone events whose end is lost',
      // A key of 40 ms has two packets and three that repeat its end.
      [{ play: [BEFORE, { keys: '123#', keyMs: 40, gapMs: 60 }, AFTER], rtp: { isLost: losesEnds } }],
      '123',
    ],
    [
      'as SIP INFO with dtmf-relay',
      [{ pauseMs: 1_000 }, { infoKeys: '0123456789*1#' }, { pauseMs: 500 }],
      '0123456789*1',
    ],
    [
      'as SIP INFO with spaces',
      [{ pauseMs: 1_000 }, { infoKeys: '19*#', format: 'dtmf-relay-spaced' }, { pauseMs: 500 }],
      '19*',
    ],
    ['as SIP INFO with dtmf', [{ pauseMs: 1_000 }, { infoKeys: '112#', format: 'dtmf' }, { pauseMs: 500 }], '112'],
    [
      'both as telephone events and as SIP INFO, each once',
      [
        // Both ways must keep time with each other, so they begin earlier. Keys of a connection that is not yet
        // up come by INFO alone.
        { play: [{ silenceMs: 2_000 }, { keys: '1123#', keyMs: 100, gapMs: 100 }, AFTER], wait: false },
        { pauseMs: 2_050 },
        { infoKeys: '1123#', gapMs: 195 },
        { pauseMs: 1_000 },
      ],
      '1123',
    ],
    [
      'with comfort noise in between',
      [{ play: [BEFORE, { keys: '1' }, { comfortNoiseMs: 200 }, { keys: '2#' }, AFTER] }],
      '12',
    ],
    ['A to D, which are ignored', [{ play: [BEFORE, { keys: '1A2BCD3#' }, AFTER] }], '123'],
  ])('are collected %s', async (_how, steps, wanted) => {
    const { number, digits } = askForDigits();
    await test.caller(number, { steps, end: 'wait-for-bye' });
    expect(await digits()).toEqual({ digits: wanted, timedOut: false });
  });

  it.each([10, 20, 30, 40, 60])('are collected from packets of %i ms', async (ptimeMs) => {
    const { number, digits } = askForDigits();
    const steps = [{ play: [BEFORE, { keys: '1988#', keyMs: 120, gapMs: 120 }, AFTER] }];
    await test.caller(number, { ptimeMs, steps, end: 'wait-for-bye' });
    expect(await digits()).toEqual({ digits: '1988', timedOut: false });
  });
});

describe('keys', () => {
  it('interrupt the prompt and count', async () => {
    const { number, digits } = askForDigits();
    const phone = await test.phone();
    await phone.dial(test.uriOf(number));
    await expect.poll(() => hears(phone, test.toneOf(PROMPT))).toBe(true);
    await phone.pressKeys('42#');
    expect(await digits()).toEqual({ digits: '42', timedOut: false });
  });

  it('are sent when the maximum is reached, without a hash', async () => {
    const { number, digits } = askForDigits({ maxDigits: 3 });
    const phone = await test.phone();
    await phone.dial(test.uriOf(number));
    await expect.poll(() => hears(phone, test.toneOf(PROMPT))).toBe(true);
    await phone.pressKeys('7654');
    expect(await digits()).toEqual({ digits: '765', timedOut: false });
  });

  it('are sent after the time without a key', async () => {
    const { number, digits } = askForDigits({ timeoutS: 1 });
    const phone = await test.phone();
    await phone.dial(test.uriOf(number));
    await expect.poll(() => hears(phone, test.toneOf(PROMPT))).toBe(true);
    await phone.pressKeys('76');
    expect(await digits()).toEqual({ digits: '76', timedOut: true });
  });
});

/** Whether a packet ends one of four keys of 40 ms with pauses of 60 ms, after 2 s of silence. */
function losesEnds(index: number): boolean {
  const [packetsBefore, packetsOfKey, packetsOfGap] = [100, 5, 3];
  const at = (index - packetsBefore) % (packetsOfKey + packetsOfGap);
  return index >= packetsBefore && at >= 2 && at < packetsOfKey;
}
