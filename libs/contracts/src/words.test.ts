import { expect, it } from 'vitest';
import { FRAUD_METERS } from '@partyline/domain/fraud';
import { LEG_STATES } from '@partyline/domain/leg';
import { EVENT_SCHEMAS, EVENT_TYPES, exampleOf } from './events/events.ts';
import { FraudLimits } from './limits/fraud.ts';

it('has a field for every fraud meter', () => expect(Object.keys(FraudLimits.shape)).toEqual([...FRAUD_METERS]));

it('has an event for every state of a leg', () => {
  expect(EVENT_TYPES.filter((type) => type.startsWith('leg.'))).toEqual(LEG_STATES.map((state) => `leg.${state}`));
});

it.each(EVENT_TYPES)('has a valid example of %s that is far below 20 kB', (type) => {
  const example = exampleOf(type);
  expect(EVENT_SCHEMAS[type].parse(example)).toEqual(example);
  expect(JSON.stringify(example).length).toBeLessThan(1_000);
});
