import { expect, it } from 'vitest';
import { LEG_KINDS, LEG_STATES } from '@partyline/domain/leg';
import { END_REASONS, SESSION_STATES } from '@partyline/domain/session';
import { OUTCOMES } from '@partyline/domain/verdict';
import { endReason, legKind, legState, outcome, sessionState } from './fields.ts';

// The contract imports nothing of ours, so that a browser can have it; its words must be the domain's all the same.
it('uses the domain’s words', () => {
  expect([legKind.options, legState.options, sessionState.options, endReason.options, outcome.unwrap().options]).toEqual([LEG_KINDS, LEG_STATES, SESSION_STATES, END_REASONS, OUTCOMES]);
});
