import { readdirSync } from 'node:fs';
import { canSendSound, type SippResult } from '@partyline/dev/phones/sipp';
import { connectJanusAdmin } from '@partyline/janus/admin/janus-admin';
import { digitsWebhook } from '@partyline/provider-janus/wire';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { startTestGateway, type TestGateway } from '../testing/test-gateway.ts';

let test: TestGateway;
beforeAll(async () => {
  test = await startTestGateway({
    maxCalls: 30,
    // The 6 s of production are not enough for twenty calls at once when other processes have both cores.
    decideMs: 30_000,
  });
});
afterEach(() => test.hangUpPhones());
afterAll(() => test.stop());

/** What SIPp says of calls that did not go as the scenario says. */
const failuresOf = ({ failed, errors }: SippResult): string[] => (failed === 0 ? [] : [`${failed} calls`, errors]);

it.runIf(canSendSound)('twenty calls at once are all answered, each with its own keys', async () => {
  const received: string[] = [];
  const replyUrl = test.digitsUrl((body) => {
    const { callId, digits } = digitsWebhook.parse(body);
    received.push(`${callId} ${digits}`);
    return { steps: [] };
  });
  const number = test.number([{ do: 'ask-digits', maxDigits: 10, timeoutS: 60, replyUrl }]);
  const keys = ['1357', '2468', '9900', '0*01'];
  const callers = await Promise.all(
    keys.map((pin) =>
      test.caller(
        number,
        { from: pin, end: 'wait-for-bye', steps: [{ play: [{ silenceMs: 8_000 }, { keys: `${pin}#` }], wait: false }] },
        { calls: 5 },
      ),
    ),
  );
  const results = await Promise.all(callers.map(({ finished }) => finished));
  expect(results).toMatchObject(keys.map(() => ({ successful: 5, failed: 0 })));
  const digits = received.map((line) => line.split(' ')[1]);
  expect(digits.toSorted()).toEqual(keys.flatMap((pin) => Array<string>(5).fill(pin)).toSorted());
  expect(new Set(received).size).toBe(20);
});

it.each(['bye', 'wait-for-bye'] as const)(
  'calls that take the lines of earlier ones at once are answered (%s)',
  async (end) => {
    const number = test.number(
      end === 'bye'
        ? [{ do: 'join', conversation: 'conv_lines', eventUrl: test.eventUrl }]
        : [{ do: 'say', text: 'Goodbye.', language: 'en-US' }],
    );
    const phone = await test.caller(
      number,
      { end, steps: [{ pauseMs: end === 'bye' ? 700 : 50 }] },
      { calls: 96, callsPerSecond: 1_000, maxCallsUp: 16 },
    );
    expect(failuresOf(await phone.finished)).toEqual([]);
  },
);

/** What a call must give back: open files and sockets, timers, and handles of Janus. */
async function countResources(): Promise<Record<string, number>> {
  const admin = await connectJanusAdmin({
    url: test.janus.adminUrl,
    adminSecret: test.janus.adminSecret,
    requestTimeoutMs: 10_000,
  });
  const handles = (await admin.describeAllHandles()).length;
  admin.close();
  const active = process.getActiveResourcesInfo();
  return {
    handles,
    files: readdirSync('/proc/self/fd').length,
    udpSockets: active.filter((kind) => kind === 'UDPWrap').length,
    timers: active.filter((kind) => kind === 'Timeout').length,
    conferences: test.gateway.link.current?.conferences.count ?? 0,
    calls: test.gateway.calls.listLive().length,
  };
}

it('two hundred calls leave nothing behind', async () => {
  const number = test.number([{ do: 'join', conversation: 'conv_churn', eventUrl: test.eventUrl }]);
  const callAgain = async (calls: number): Promise<void> => {
    const phone = await test.caller(
      number,
      { steps: [{ pauseMs: 500 }] },
      { calls, callsPerSecond: 10, maxCallsUp: 12 },
    );
    expect(failuresOf(await phone.finished)).toEqual([]);
    await expect.poll(() => test.gateway.calls.listLive().length).toBe(0);
    // A call leaves its conference a moment after its end.
    await expect.poll(() => test.gateway.link.current?.conferences.count).toBe(0);
  };
  // The first calls open what stays open: connections to the receiver of webhooks, the room control.
  await callAgain(20);
  const before = await countResources();
  await callAgain(200);
  await expect
    .poll(
      async () => {
        const after = await countResources();
        return Object.entries(after).filter(([kind, count]) => count > (before[kind] ?? 0));
      },
      // werift has timers of half a minute, which nothing cancels.
      { interval: 1_000, timeout: 90_000 },
    )
    .toEqual([]);
  expect(before).toMatchObject({ calls: 0, conferences: 0 });
}, 240_000);
