import { FakeClock } from '@partyline/testing/fake-clock';
import { signControlRequest } from '@partyline/provider-janus/sign-request';
import { beforeEach, describe, expect, it } from 'vitest';
import { CallRegistry } from '../calls/call-registry.ts';
import { Call, UNANSWERED_CONTROLS } from '../calls/call.ts';
import { ControlController } from './control.controller.ts';
import type { ControlDeps } from './control-deps.ts';
import { UsedTokens } from './used-tokens.ts';
import { createControlVerifier } from './verify-control.ts';

const SECRET = 'the-secret-of-the-deployment-0123456789';
const CALL_ID = 'gw-1.abcdefghijklmnopqrstuv';
const clock = new FakeClock('2026-11-30T12:00:00Z');

type Request = Parameters<ControlController['listCalls']>[0];

let nonce = 0;
/** A signed request, as Nest passes it on. */
function request(method: string, url: string, body?: unknown, secret = SECRET): Request {
  const rawBody = body === undefined ? '' : JSON.stringify(body);
  const authorization = signControlRequest(`gw-1 ${method} ${url}`, secret, rawBody, {
    now: clock.now(),
    nonce: `nonce-${(nonce += 1)}`,
  });
  return { method, url, headers: { authorization }, rawBody: Buffer.from(rawBody) } as unknown as Request;
}

let controller: ControlController;
let calls: CallRegistry;
beforeEach(() => {
  calls = new CallRegistry();
  const deps: ControlDeps = {
    calls,
    browsers: { list: () => [], disconnect: async () => false, mute: async () => false },
    placeCall: () => {
      throw new Error('not used in this test');
    },
    isWebhookUrl: (url) => url.startsWith('https://hooks.example/'),
    stateOf: (conference) => ({ isHere: conference === 'conv_here', isReady: true }),
    verify: createControlVerifier({ gatewayId: 'gw-1', secrets: [SECRET], usedTokens: new UsedTokens(clock), clock }),
    onError: () => undefined,
  };
  controller = new ControlController(deps);
});

const reasonOf = async (run: () => unknown): Promise<string | undefined> => {
  try {
    await run();
    return undefined;
  } catch (error) {
    return (error as { verdict?: { reason: string } }).verdict?.reason;
  }
};

const order = {
  account: 'platform',
  to: '+442079460018',
  from: '+12025550100',
  trunk: { host: 'trunk.example' },
  answerUrl: 'https://hooks.example/v1/voice/answer/leg_1',
  eventUrl: 'https://hooks.example/v1/voice/events/leg_1',
  ringingTimerS: 45,
  lengthTimerS: 600,
};

describe('a control request', () => {
  it('is rejected with another secret, for another path, and when it comes twice', async () => {
    const list = '/v1/calls?account=platform';
    const rejected = 'control-rejected';
    expect(
      await reasonOf(() => controller.listCalls(request('GET', list, undefined, 'x'.repeat(40)), 'platform')),
    ).toBe(rejected);
    const signed = request('GET', list);
    expect(controller.listCalls(signed, 'platform')).toEqual({ calls: [] });
    expect(await reasonOf(() => controller.listCalls(signed, 'platform'))).toBe(rejected);
    expect(await reasonOf(() => controller.listCalls({ ...request('GET', list), url: '/v1/other' }, 'platform'))).toBe(
      rejected,
    );
  });

  it.each([
    ['a number that is not E.164', { to: '0800' }],
    ['an unknown field', { more: 1 }],
    ['a URL of another host', { answerUrl: 'https://elsewhere.example/v1/voice/answer/leg_1' }],
    ['a trunk that is no host', { trunk: { host: 'sip:x@y' } }],
    ['no ringing timer', { ringingTimerS: 0 }],
  ])('to place a call is rejected with %s', async (_what, change) => {
    const body = { ...order, ...change };
    expect(await reasonOf(() => controller.createCall(request('POST', '/v1/calls', body), body))).toBe(
      'bad-control-request',
    );
  });

  it('for a call that is over or unknown is answered call-not-found', async () => {
    const hangUp = `/v1/calls/${CALL_ID}/hang-up`;
    expect(await reasonOf(() => controller.hangUp(request('POST', hangUp), CALL_ID))).toBe('call-not-found');
    const call = new Call(
      { callId: CALL_ID, account: 'platform', direction: 'inbound', to: null, from: null },
      { clock, onPhase: () => undefined },
    );
    calls.add(call);
    call.end({ cause: 'hung-up' });
    calls.retire(call);
    expect(await reasonOf(() => controller.hangUp(request('POST', hangUp), CALL_ID))).toBe('call-not-found');
    const path = `/v1/calls/${CALL_ID}`;
    expect(controller.getCall(request('GET', path), CALL_ID)).toMatchObject({ phase: 'over', cause: 'hung-up' });
  });

  it('to transfer a call is rejected before the call is answered, and with a URL of another host', async () => {
    const path = `/v1/calls/${CALL_ID}/transfer`;
    const call = new Call(
      { callId: CALL_ID, account: 'platform', direction: 'outbound', to: null, from: null },
      { clock, onPhase: () => undefined },
    );
    calls.add(call);
    call.controls = { ...UNANSWERED_CONTROLS, hangUp: async () => undefined };
    const transferTo = (eventUrl: string) => {
      const plan = { steps: [{ do: 'join', conversation: 'conv_1', eventUrl }] };
      return reasonOf(() => controller.transfer(request('POST', path, plan), CALL_ID, plan));
    };
    expect(await transferTo('https://hooks.example/v1/voice/events')).toBe('call-not-answered');
    expect(await transferTo('https://elsewhere.example/v1/voice/events')).toBe('bad-control-request');
  });

  it('for an unknown connection is answered connection-not-found', async () => {
    const path = `/v1/conferences/conv_1/connections/${CALL_ID}`;
    const disconnect = request('POST', `${path}/disconnect`);
    const mute = request('POST', `${path}/mute`, { muted: true });
    expect(await reasonOf(() => controller.disconnect(disconnect, 'conv_1', CALL_ID))).toBe('connection-not-found');
    expect(await reasonOf(() => controller.muteConnection(mute, 'conv_1', CALL_ID, { muted: true }))).toBe(
      'connection-not-found',
    );
  });
});
