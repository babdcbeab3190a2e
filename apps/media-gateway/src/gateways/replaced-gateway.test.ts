import { findFreePort } from '@partyline/dev/processes/ports';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { hears, startTestGateway, type TestGateway } from '../testing/test-gateway.ts';
import { rankGateways } from './rank-gateways.ts';

const IDS = ['one', 'two'] as const;
const [FIRST_HZ, SECOND_HZ, THIRD_HZ] = [440, 1_050, 1_650];
/** With two calls of a conference at gateway one, kamailio gives the next call to gateway two. */
const MAX_CALLS = 2;

let one: TestGateway;
let two: TestGateway;
let startTwo: () => Promise<TestGateway>;
beforeAll(async () => {
  const self = async (id: string) => ({ id, port: await findFreePort() });
  const [selfOne, selfTwo] = await Promise.all([self('one'), self('two')]);
  const gateways = [selfOne, selfTwo].map(({ id, port }) => ({ id, url: `http://127.0.0.1:${port}` }));
  const options = { gateways, maxCalls: MAX_CALLS };
  one = await startTestGateway({ ...options, self: selfOne });
  startTwo = () => startTestGateway({ ...options, self: selfTwo, shared: one });
  two = await startTwo();
});
afterAll(async () => {
  await two.stop();
  await one.stop();
});

/** Calls into a conference until a gateway has the call: kamailio chooses one by chance. */
async function callAt(gateway: (typeof IDS)[number], conversation: string, hz: number) {
  const number = one.number([{ do: 'join', conversation, eventUrl: one.eventUrl }]);
  for (;;) {
    const phone = await one.phone({ microphone: { hz } });
    await phone.dial(one.uriOf(number));
    const { callId } = await one.answerOf(number);
    if (callId.startsWith(`${gateway}.`)) {
      await expect.poll(() => one.eventsOf(callId).map(({ kind }) => kind)).toContain('moved');
      return phone;
    }
    await phone.hangUp();
    await phone.waitFor('closed');
  }
}

it('a conference goes on while the other gateway is replaced, whose successor takes calls', async () => {
  const conference = ['conv_a', 'conv_b', 'conv_c', 'conv_d', 'conv_e'].find(
    (name) => rankGateways(name, IDS)[0] === 'one',
  )!;
  const first = await callAt('one', conference, FIRST_HZ);
  const second = await callAt('one', conference, SECOND_HZ);
  const hear = () => [hears(first, SECOND_HZ), hears(second, FIRST_HZ)];
  await expect.poll(hear).toEqual([true, true]);

  await two.drain();
  await expect.poll(hear).toEqual([true, true]);
  await two.stop();
  await expect.poll(hear).toEqual([true, true]);
  two = await startTwo();
  await expect.poll(() => two.gateway.isReady).toBe(true);
  await expect.poll(hear).toEqual([true, true]);

  const third = await callAt('two', conference, THIRD_HZ);
  await expect
    .poll(() => [hears(third, FIRST_HZ), hears(third, SECOND_HZ), hears(first, THIRD_HZ), ...hear()])
    .toEqual([true, true, true, true, true]);
  for (const phone of [first, second, third]) expect(phone.events().map(({ kind }) => kind)).not.toContain('closed');
});
