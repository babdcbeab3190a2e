import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { step } from './machine.ts';
import { canJoin, SESSION_STATES, sessionMachine, type SessionEvent, type SessionState } from './session.ts';

const EVENTS: readonly SessionEvent[] = ['joined', 'endDecided', 'legsClosed'];

/** Every state with every event: where it goes, `.` where the event is ignored. */
const TABLE: Readonly<Record<SessionState, readonly string[]>> = {
  //        joined  endDecided  legsClosed
  open: ['live', 'ending', '.'],
  live: ['live', 'ending', '.'],
  ending: ['.', '.', 'ended'],
  ended: ['.', '.', '.'],
};

const run = (start: SessionState, events: readonly SessionEvent[]): SessionState =>
  events.reduce<SessionState>((state, event) => step(sessionMachine, state, event) ?? state, start);

describe('every event in every state of a session', () => {
  const cells = SESSION_STATES.flatMap((state) =>
    EVENTS.map((event, column) => ({ state, event, next: TABLE[state].at(column) })),
  );
  test.each(cells)('$state, $event: $next', ({ state, event, next }) => {
    expect(step(sessionMachine, state, event) ?? '.').toBe(next);
  });
});

describe('a session, whatever happens', () => {
  const anyEvents = fc.array(fc.constantFrom(...EVENTS), { maxLength: 30 });

  it('stays ended once it is (I12)', () => {
    fc.assert(
      fc.property(anyEvents, (events) => {
        expect(run('ended', events)).toBe('ended');
      }),
    );
  });

  it('ends only by a decision and then its legs being closed, in this order', () => {
    fc.assert(
      fc.property(anyEvents, (events) => {
        const decided = events.indexOf('endDecided');
        const over = decided !== -1 && events.indexOf('legsClosed', decided) !== -1;
        expect(run('open', events) === 'ended').toBe(over);
      }),
      { numRuns: 500 },
    );
  });

  test.each(SESSION_STATES)('%s can reach its end', (state) => {
    expect(run(state, ['endDecided', 'legsClosed'])).toBe('ended');
  });

  test.each(SESSION_STATES)('%s: who may join is what the table lets in', (state) => {
    expect(canJoin(state)).toBe(step(sessionMachine, state, 'joined') !== null);
  });
});
