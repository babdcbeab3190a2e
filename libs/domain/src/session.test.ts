import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { nextState } from './machine.ts';
import { canJoin, SESSION_STATES, sessionMachine, type SessionEvent, type SessionState } from './session.ts';

const EVENTS: readonly SessionEvent[] = ['joined', 'endDecided', 'legsClosed'];

/** The next state for every state and event; `.` means that the event is ignored. */
const TABLE: Readonly<Record<SessionState, readonly string[]>> = {
  //        joined  endDecided  legsClosed
  open: ['live', 'ending', '.'],
  live: ['live', 'ending', '.'],
  ending: ['.', '.', 'ended'],
  ended: ['.', '.', '.'],
};

const run = (start: SessionState, events: readonly SessionEvent[]): SessionState =>
  events.reduce<SessionState>((state, event) => nextState(sessionMachine, state, event) ?? state, start);

describe('sessionMachine, every event in every state', () => {
  const cells = SESSION_STATES.flatMap((state) =>
    EVENTS.map((event, column) => ({ state, event, next: TABLE[state].at(column) })),
  );
  test.each(cells)('$state, $event: $next', ({ state, event, next }) => {
    expect(nextState(sessionMachine, state, event) ?? '.').toBe(next);
  });
});

describe('sessionMachine, any sequence of events', () => {
  const anyEvents = fc.array(fc.constantFrom(...EVENTS), { maxLength: 30 });

  it('never leaves `ended` (I12)', () => {
    fc.assert(
      fc.property(anyEvents, (events) => {
        expect(run('ended', events)).toBe('ended');
      }),
    );
  });

  it('reaches `ended` only by `endDecided` followed by `legsClosed`', () => {
    fc.assert(
      fc.property(anyEvents, (events) => {
        const decided = events.indexOf('endDecided');
        const over = decided !== -1 && events.indexOf('legsClosed', decided) !== -1;
        expect(run('open', events) === 'ended').toBe(over);
      }),
      { numRuns: 500 },
    );
  });

  test.each(SESSION_STATES)('%s can reach `ended`', (state) => {
    expect(run(state, ['endDecided', 'legsClosed'])).toBe('ended');
  });

  test.each(SESSION_STATES)('%s: canJoin agrees with the table', (state) => {
    expect(canJoin(state)).toBe(nextState(sessionMachine, state, 'joined') !== null);
  });
});
