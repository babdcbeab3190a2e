import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { runPlan, TECHNICAL_DIFFICULTIES, type PlanPort } from './run-plan.ts';

/** A call on virtual time: `keys` are pressed one after the other whenever the plan waits for a key. */
function createCall(keys: readonly string[] = [], replies: readonly unknown[] = []) {
  const heard: string[] = [];
  const sent: { url: string; body: unknown }[] = [];
  const problems: string[] = [];
  const joined: string[] = [];
  const over = new AbortController();
  const [waitingKeys, waitingReplies] = [[...keys], [...replies]];
  let pressed = '';
  const port: PlanPort = {
    callId: 'gw-1.call',
    signal: over.signal,
    speak: async (text, _language, stop) => {
      heard.push(text);
      // A key during a text arrives before the text ends.
      await Promise.resolve();
      if (stop.aborted) heard.push('(interrupted)');
    },
    takeDigits: () => {
      const taken = pressed;
      pressed = '';
      return taken;
    },
    nextDigit: async (stop) => {
      const key = waitingKeys.shift();
      if (key === undefined || key === 'silence') {
        await new Promise((_, reject) => stop.addEventListener('abort', () => reject(new Error('stopped'))));
        return;
      }
      pressed += key;
    },
    pause: (_ms, stop) =>
      new Promise((resolve) => {
        setImmediate(resolve);
        stop.addEventListener('abort', () => resolve());
      }),
    requestPlan: async (url, body) => {
      sent.push({ url, body });
      const reply = waitingReplies.shift();
      if (reply instanceof Error) throw reply;
      return reply;
    },
    join: async ({ conversation }) => void joined.push(conversation),
    onProblem: (reason) => void problems.push(reason),
  };
  return { port, heard, sent, problems, joined, over };
}

const say = (text: string, bargeIn = false) => ({ do: 'say', text, language: 'en-GB', bargeIn }) as const;
const ask = (maxDigits = 6) => ({ do: 'ask-digits', maxDigits, timeoutS: 5, replyUrl: 'http://hooks/digits' }) as const;
const join = { do: 'join', conversation: 'conv_1', eventUrl: 'http://hooks/events' } as const;

describe('runPlan', () => {
  it('speaks, asks, sends the keys, and follows the reply into the conference', async () => {
    const call = createCall(['1', '2', '3', '#'], [{ steps: [say('Welcome.'), join] }]);
    expect(await runPlan(call.port, { steps: [say('Your PIN?'), ask()] })).toBe('joined');
    expect(call.heard).toEqual(['Your PIN?', 'Welcome.']);
    expect(call.sent).toEqual([
      { url: 'http://hooks/digits', body: { callId: 'gw-1.call', digits: '123', timedOut: false } },
    ]);
    expect(call.joined).toEqual(['conv_1']);
    expect(call.problems).toEqual([]);
  });

  it.each([
    ['a hash', ['1', '2', '#', '4'], '12', false],
    ['the maximum of digits', ['1', '2', '3', '4'], '123', false],
    ['a time without a key', ['1', '2', 'silence'], '12', true],
    ['no key at all', ['silence'], '', true],
    ['a hash alone', ['#'], '', false],
    ['a star among the digits', ['1', '*', '3'], '1*3', false],
  ] as const)('takes the keys until %s', async (_what, keys, digits, timedOut) => {
    const call = createCall(keys, [{ steps: [] }]);
    expect(await runPlan(call.port, { steps: [ask(3)] })).toBe('done');
    expect(call.sent[0]?.body).toEqual({ callId: 'gw-1.call', digits, timedOut });
  });

  it('counts a key that interrupts a text, and does not speak on', async () => {
    const call = createCall(['7', '#'], [{ steps: [] }]);
    await runPlan(call.port, { steps: [say('A long text.', true), ask()] });
    expect(call.heard).toEqual(['A long text.', '(interrupted)']);
    expect(call.sent[0]?.body).toMatchObject({ digits: '7' });
  });

  it.each([
    ['no reply', undefined, 'no-plan'],
    ['a failed request', new Error('503'), 'no-plan'],
    ['a reply that is no plan', { action: 'talk' }, 'bad-plan'],
    ['an unknown step', { steps: [{ do: 'dance' }] }, 'bad-plan'],
  ])('apologizes and ends the call after %s', async (_what, reply, problem) => {
    const call = createCall(['#'], [reply]);
    expect(await runPlan(call.port, { steps: [ask()] })).toBe('done');
    expect(call.heard).toEqual([TECHNICAL_DIFFICULTIES.text]);
    expect(call.problems).toEqual([problem]);
  });

  it('does nothing more once the call is over', async () => {
    const call = createCall(['1', '#'], [{ steps: [join] }]);
    call.over.abort();
    expect(await runPlan(call.port, { steps: [say('Hello.'), ask(), join] })).toBe('done');
    expect([call.heard, call.sent, call.joined]).toEqual([[], [], []]);
  });

  it('sends at most the requested digits, without a hash, whatever is keyed', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom(...'0123456789*#'), { maxLength: 12 }),
        fc.integer({ min: 1, max: 8 }),
        async (keys, maxDigits) => {
          const call = createCall([...keys, 'silence'], [{ steps: [] }]);
          await runPlan(call.port, { steps: [ask(maxDigits)] });
          const typed = keys.join('').split('#')[0];
          expect(call.sent[0]?.body).toMatchObject({ digits: typed?.slice(0, maxDigits) });
        },
      ),
    );
  });
});
