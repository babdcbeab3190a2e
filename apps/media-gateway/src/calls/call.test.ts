import { FakeClock } from '@partyline/testing/fake-clock';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Call, type CallPhase } from './call.ts';

const FACTS = { callId: 'gw-1.c', account: 'platform', direction: 'inbound', to: null, from: null } as const;
function createCall() {
  const phases: CallPhase[] = [];
  const call = new Call(FACTS, { clock: new FakeClock(), onPhase: ({ phase }) => void phases.push(phase) });
  return { call, phases };
}

it('reports each phase once, in order, and is over once, whatever happens', () => {
  const action = fc.constantFrom('ringing' as const, 'answered' as const, 'over' as const);
  fc.assert(
    fc.property(fc.array(action, { maxLength: 20 }), (actions) => {
      const { call, phases } = createCall();
      for (const phase of actions) {
        if (phase === 'over') call.end({ cause: 'hung-up' });
        else call.advance(phase);
      }
      const order = ['started', 'ringing', 'answered', 'over'];
      expect(phases).toEqual(phases.toSorted((a, b) => order.indexOf(a) - order.indexOf(b)));
      expect(new Set(phases).size).toBe(phases.length);
      expect(call.isOver).toBe(actions.includes('over'));
    }),
  );
});

it('states the cause of the first end that we requested, not the reply of the far side', () => {
  const { call } = createCall();
  call.requestEnd({ cause: 'unanswered' });
  call.requestEnd({ cause: 'max-duration' });
  call.end({ cause: 'cancelled', sipCode: 487 });
  expect(call.view()).toMatchObject({ phase: 'over', cause: 'unanswered' });
});

it('has no actions when it is over', () => {
  const { call } = createCall();
  call.controls = {
    hangUp: async () => undefined,
    mute: async () => undefined,
    sendDigits: () => undefined,
    say: async () => undefined,
    transfer: () => undefined,
    setDeadline: () => undefined,
  };
  call.end({ cause: 'busy', sipCode: 486 });
  expect(call.controls).toBeUndefined();
  expect(call.view()).toMatchObject({ cause: 'busy', sipCode: 486 });
});
