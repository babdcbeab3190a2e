import { describe, expect, it } from 'vitest';
import type { CallPlan } from '@partyline/provider-contract/voice-provider';
import { toNcco } from './ncco.ts';

const INPUT = 'https://hooks.example/input';
const EVENTS = 'https://hooks.example/event';
const ask: CallPlan[number] = { do: 'ask-digits', maxDigits: 6, timeoutS: 8, replyUrl: INPUT };
const input = {
  action: 'input',
  type: ['dtmf'],
  dtmf: { timeOut: 8, maxDigits: 6, submitOnHash: true },
  eventUrl: [INPUT],
  eventMethod: 'POST',
};
const talk = (text: string, bargeIn: boolean): object => ({ action: 'talk', text, language: 'en-GB', bargeIn });
const say = (text: string, bargeIn?: boolean): CallPlan[number] => ({
  do: 'say',
  text,
  language: 'en-GB',
  ...(bargeIn === undefined ? {} : { bargeIn }),
});

const TABLE: [string, CallPlan, object[]][] = [
  ['a text', [say('hello')], [talk('hello', false)]],
  ['a text with bargeIn, followed by digits', [say('key it', true), ask], [talk('key it', true), input]],
  [
    'a text with bargeIn and no input after it, for which the flag is dropped',
    [ask, say('bye', true)],
    [input, talk('bye', false)],
  ],
  [
    'a rejection, which is spoken because the call is answered',
    [{ do: 'reject', reason: 'unknown-number', text: 'bye', language: 'en-GB' }],
    [talk('bye', false)],
  ],
  ['digits', [ask], [input]],
  [
    'digits above the limits of the provider',
    [{ ...ask, maxDigits: 50, timeoutS: 60 }],
    [{ ...input, dtmf: { timeOut: 10, maxDigits: 20, submitOnHash: true } }],
  ],
  [
    'digits below the limits of the provider',
    [{ ...ask, maxDigits: 0, timeoutS: 0 }],
    [{ ...input, dtmf: { timeOut: 1, maxDigits: 1, submitOnHash: true } }],
  ],
  [
    'a conversation, which by default starts on entry and does not end on exit',
    [{ do: 'join', conversation: 'conv_1', eventUrl: EVENTS }],
    [
      {
        action: 'conversation',
        name: 'conv_1',
        startOnEnter: true,
        endOnExit: false,
        eventUrl: [EVENTS],
        eventMethod: 'POST',
      },
    ],
  ],
  [
    'a conversation to wait in, with startOnEnter false',
    [{ do: 'join', conversation: 'conv_1', eventUrl: EVENTS, startOnEnter: false, endOnExit: true }],
    [
      {
        action: 'conversation',
        name: 'conv_1',
        startOnEnter: false,
        endOnExit: true,
        eventUrl: [EVENTS],
        eventMethod: 'POST',
      },
    ],
  ],
  ['an empty plan, as one short action', [], [{ action: 'wait', timeout: 0.1 }]],
  ['an empty text, as one short action', [say('  ')], [{ action: 'wait', timeout: 0.1 }]],
];

describe('toNcco', () => {
  // Compared as JSON, which is what the provider receives.
  it.each(TABLE)('renders %s', (_what, plan, ncco) => expect(JSON.parse(JSON.stringify(toNcco(plan)))).toEqual(ncco));

  it('splits a long text to the limit of the provider without losing a word', () => {
    const text = 'word '.repeat(700).trim();
    const said = toNcco([say(text)]).map((action) => String(action['text']));
    expect(said.length).toBeGreaterThan(2);
    expect(said.every((piece) => piece.length <= 1_500)).toBe(true);
    expect(said.join(' ')).toBe(text);
    expect(toNcco([say('x'.repeat(4_000))]).map((action) => String(action['text']).length)).toEqual([
      1_500, 1_500, 1_000,
    ]);
  });

  it('plays hold music only to callers that wait for the conference to start', () => {
    const waiting = { do: 'join', conversation: 'conv_1', eventUrl: EVENTS, startOnEnter: false } as const;
    const music = (plan: Parameters<typeof toNcco>[0], url?: string) =>
      toNcco(plan, url).map((action) => action['musicOnHoldUrl']);
    expect(music([waiting], 'https://example.com/hold.mp3')).toEqual([['https://example.com/hold.mp3']]);
    expect([
      ...music([waiting]),
      ...music([{ ...waiting, startOnEnter: true }], 'https://example.com/hold.mp3'),
    ]).toEqual([undefined, undefined]);
  });

  it('rejects a conversation without a name', () => {
    expect(() => toNcco([{ do: 'join', conversation: '', eventUrl: EVENTS }])).toThrow(
      expect.objectContaining({ verdict: { outcome: 'server', reason: 'nameless-conversation' } }),
    );
  });
});
