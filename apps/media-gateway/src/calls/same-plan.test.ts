import { describe, expect, it } from 'vitest';
import { isSamePlan } from './same-plan.ts';

const EVENTS = 'https://hooks.example/v1/voice/events';
const join = (more: object = {}) =>
  ({ steps: [{ do: 'join', conversation: 'conv_1', eventUrl: EVENTS, ...more } as const] }) as const;

describe('isSamePlan', () => {
  it.each([
    ['the same steps', join(), true],
    ['another timer', join({ lengthTimerS: 59 }), true],
    ['another conversation', join({ conversation: 'conv_2' }), false],
    ['another event URL', join({ eventUrl: `${EVENTS}/2` }), false],
    ['no steps', { steps: [] }, false],
  ])('compares a plan with one that has %s', (_what, plan, isSame) =>
    expect(isSamePlan(join({ lengthTimerS: 60 }), plan as Parameters<typeof isSamePlan>[1])).toBe(isSame),
  );

  it('finds nothing the same as a reply that is no plan', () =>
    expect(isSamePlan(undefined, { steps: [] })).toBe(false));
});
