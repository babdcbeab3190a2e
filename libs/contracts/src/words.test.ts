import { expect, it } from 'vitest';
import { FRAUD_METERS } from '@partyline/domain/fraud';
import { LEG_KINDS, LEG_STATES } from '@partyline/domain/leg';
import { END_REASONS, SESSION_STATES } from '@partyline/domain/session';
import { OUTCOMES } from '@partyline/domain/verdict';
import { EVENT_SCHEMAS, EVENT_TYPES, exampleOf } from './events/events.ts';
import { endReason, legKind, legState, outcome, sessionState } from './fields.ts';
import { FraudLimits } from './limits/fraud.ts';

// The contract imports nothing of ours, so that a browser can have it; its words must be the domain's all the same.
it('uses the domain’s words', () => {
  expect([
    legKind.options,
    legState.options,
    sessionState.options,
    endReason.options,
    outcome.unwrap().options,
  ]).toEqual([LEG_KINDS, LEG_STATES, SESSION_STATES, END_REASONS, OUTCOMES]);
});

it('has every fraud meter', () => expect(Object.keys(FraudLimits.shape)).toEqual([...FRAUD_METERS]));

it('lists an event for each state that a leg can be in', () => {
  expect(EVENT_TYPES.filter((type) => type.startsWith('leg.'))).toEqual(LEG_STATES.map((state) => `leg.${state}`));
});

it.each(EVENT_TYPES)('%s has an example as it is sent, of far less than 20 kB', (type) => {
  const example = exampleOf(type);
  expect(EVENT_SCHEMAS[type].parse(example)).toEqual(example);
  expect(JSON.stringify(example).length).toBeLessThan(1_000);
});
