import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { step, type Outcome } from './machine.ts';
import { canJoin, SESSION_STATES, sessionMachine, type SessionEffect, type SessionEvent, type SessionState } from './session.ts';

const EVENTS: readonly SessionEvent[] = ['joined', 'endDecided', 'legsClosed'];

/** Every state with every event: where it goes, `.` where the event is ignored, `!` with the reason where it is refused. */
const TABLE: Readonly<Record<SessionState, readonly string[]>> = {
  //        joined             endDecided  legsClosed
  open:   ['live',            'ending',   '.'],
  live:   ['live',            'ending',   '.'],
  ending: ['!session-ending', '.',        'ended'],
  ended:  ['!session-ended',  '.',        '.'],
};

const shown = (move: Outcome<SessionState, SessionEffect>): string => (move.kind === 'moved' ? move.next : move.kind === 'rejected' ? `!${move.reason}` : '.');

const run = (start: SessionState, events: readonly SessionEvent[]): SessionState =>
  events.reduce<SessionState>((state, event) => {
    const move = step(sessionMachine, state, event);
    return move.kind === 'moved' ? move.next : state;
  }, start);

describe('every event in every state of a session', () => {
  const cells = SESSION_STATES.flatMap((state) => EVENTS.map((event, column) => ({ state, event, next: TABLE[state].at(column) })));
  test.each(cells)('$state, $event: $next', ({ state, event, next }) => {
    expect(shown(step(sessionMachine, state, event))).toBe(next);
  });

  it('hangs everybody up on the decision to end, once', () => {
    const hangsUp = cells.filter(({ state, event }) => {
      const move = step(sessionMachine, state, event);
      return move.kind === 'moved' && move.effects.includes('hang-up-all');
    });
    expect(hangsUp.map(({ state, event }) => `${state} ${event}`)).toEqual(['open endDecided', 'live endDecided']);
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
    expect(canJoin(state)).toBe(step(sessionMachine, state, 'joined').kind === 'moved');
  });
});
