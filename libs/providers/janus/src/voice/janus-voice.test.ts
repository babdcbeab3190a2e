import { providerDeps } from '@partyline/provider-contract/testing/provider-deps';
import { expect, it } from 'vitest';
import { janusAccountSchema } from '../account.ts';
import { planReply } from '../wire.ts';
import { janusVoice } from './janus-voice.ts';

const NOW = new Date('2026-11-30T12:00:00.000Z');
const voice = janusVoice.create(
  janusAccountSchema.parse({
    account: 'platform',
    gateways: [{ id: 'one', url: 'http://127.0.0.1:1' }],
    secret: 'a-secret-of-thirty-two-characters',
    kamailio: { url: 'http://127.0.0.1:1/RPC', secret: 'rpc-secret' },
    socketUrl: 'ws://127.0.0.1:1',
  }),
  { ...providerDeps(10_000), clock: { now: () => NOW } },
);
const join = { do: 'join', conversation: 'conv_1', eventUrl: 'http://hooks.example/events' } as const;

it.each([
  ['a minute after the deadline of its session', '2026-11-30T13:30:00.500Z', 5_461],
  ['a minute after now when the deadline is near', '2026-11-30T12:00:00.000Z', 60],
  ['soon when the deadline is over for long', '2026-11-30T11:00:00.000Z', 1],
])('a caller is ended by kamailio %s', (_when, deadline, lengthTimerS) => {
  const plan = voice.renderPlan([
    { do: 'say', text: 'Hello.', language: 'en-US' },
    { ...join, deadline: new Date(deadline) },
  ]);
  expect(planReply.parse(plan).steps[1]).toEqual({ ...join, lengthTimerS });
});

it('a call that was placed keeps the timer that it has', () => {
  expect(planReply.parse(voice.renderPlan([join])).steps).toEqual([join]);
});
