import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import {
  isClosed,
  isPresent,
  isUp,
  LEG_KINDS,
  LEG_STATES,
  legMachine,
  type LegEvent,
  type LegHandles,
  type LegState,
} from './leg.ts';
import { nextState } from './machine.ts';

const EVENTS: readonly LegEvent[] = [
  'dialSent',
  'notDialled',
  'ringing',
  'answered',
  'joined',
  'hangUpRequested',
  'closed',
];

/** The next state for every state and event; `.` means that the event is ignored. */
const TABLE: Readonly<Record<LegState, readonly (LegState | '.')[]>> = {
  //           dialSent     notDialled   ringing    answered    joined    hangUpRequested  closed
  requested: ['dialling', '.', 'ringing', 'answered', 'joined', 'ending', 'ended'],
  dialling: ['.', 'requested', 'ringing', 'answered', 'joined', 'ending', 'ended'],
  ringing: ['.', '.', '.', 'answered', 'joined', 'ending', 'ended'],
  answered: ['.', '.', '.', '.', 'joined', 'ending', 'ended'],
  joined: ['.', '.', '.', '.', '.', 'ending', 'ended'],
  ending: ['.', '.', '.', 'ending', 'ending', '.', 'ended'],
  ended: ['.', '.', '.', '.', '.', '.', '.'],
};

const run = (start: LegState, events: readonly LegEvent[]): LegState =>
  events.reduce<LegState>((state, event) => nextState(legMachine, state, event) ?? state, start);

describe('legMachine, every event in every state', () => {
  const cells = LEG_STATES.flatMap((state) =>
    EVENTS.map((event, column) => ({ state, event, next: TABLE[state].at(column) ?? '.' })),
  );
  test.each(cells)('$state, $event: $next', ({ state, event, next }) => {
    expect(nextState(legMachine, state, event) ?? '.').toBe(next);
  });

  it('enters `ending` on a hang-up request, and again when the leg is answered or joined after it', () => {
    expect(cells.filter(({ next }) => next === 'ending').map(({ state, event }) => `${state} ${event}`)).toEqual([
      'requested hangUpRequested',
      'dialling hangUpRequested',
      'ringing hangUpRequested',
      'answered hangUpRequested',
      'joined hangUpRequested',
      'ending answered',
      'ending joined',
    ]);
  });
});

describe('legMachine, any sequence of events', () => {
  const anyEvents = fc.array(fc.constantFrom(...EVENTS), { maxLength: 30 });

  it('never leaves `ended` (I12)', () => {
    fc.assert(
      fc.property(anyEvents, anyEvents, (before, after) => {
        expect(run('requested', [...before, 'closed', ...after])).toBe('ended');
      }),
      { numRuns: 500 },
    );
  });

  it('reaches `ended` by a `closed` event only (I2)', () => {
    const up = fc.constantFrom(...LEG_STATES.filter((state) => state !== 'ended'));
    fc.assert(
      fc.property(up, anyEvents, (start, events) => {
        expect(run(start, events) === 'ended').toBe(events.includes('closed'));
      }),
      { numRuns: 500 },
    );
  });

  it('reaches `ended` for any order, duplication and loss of events that include a `closed` event', () => {
    const history = fc.array(
      fc.record({ event: fc.constantFrom(...EVENTS), times: fc.integer({ min: 0, max: 5 }), key: fc.nat() }),
      { minLength: 1 },
    );
    fc.assert(
      fc.property(history, fc.integer({ min: 1, max: 5 }), fc.nat(), (events, closings, key) => {
        const delivered = [...events, { event: 'closed' as const, times: closings, key }]
          .flatMap((one) => Array.from({ length: one.times }, () => one))
          .toSorted((a, b) => a.key - b.key);
        expect(
          run(
            'requested',
            delivered.map((one) => one.event),
          ),
        ).toBe('ended');
      }),
      { numRuns: 500 },
    );
  });

  it('never leaves `ending` for a state without a hang-up request', () => {
    fc.assert(
      fc.property(anyEvents, (events) => {
        expect(['ending', 'ended']).toContain(run('ending', events));
      }),
      { numRuns: 300 },
    );
  });

  test.each(LEG_STATES.filter((state) => state !== 'ended'))('%s can reach `ended`', (state) => {
    expect(run(state, ['closed'])).toBe('ended');
    expect(run(state, ['hangUpRequested', 'closed'])).toBe('ended');
  });
});

test.each([
  { state: 'requested', up: true, present: false },
  { state: 'dialling', up: true, present: false },
  { state: 'ringing', up: true, present: false },
  { state: 'answered', up: true, present: true },
  { state: 'joined', up: true, present: true },
  { state: 'ending', up: true, present: false },
  { state: 'ended', up: false, present: false },
] as const)('$state: isUp is $up, isPresent is $present', ({ state, up, present }) => {
  expect({ up: isUp({ state }), present: isPresent({ state }) }).toEqual({ up, present });
});

describe('isClosed', () => {
  const at = new Date(0);
  const leg = (kind: LegHandles['kind'], media: '-' | 'up' | 'closed', voice: '-' | 'up' | 'closed'): LegHandles => ({
    kind,
    media_connection_id: media === '-' ? null : 'c',
    media_closed_at: media === 'closed' ? at : null,
    voice_call_id: voice === '-' ? null : 'v',
    voice_closed_at: voice === 'closed' ? at : null,
  });

  test.each([
    // `-` is a handle that was never observed; `sip` is the reported state of the SIP call between
    // the two handles.
    { media: '-', voice: '-', sip: 'up', closed: false },
    { media: '-', voice: '-', sip: 'over', closed: true },
    { media: '-', voice: 'up', sip: 'up', closed: false },
    { media: '-', voice: 'up', sip: 'over', closed: false },
    { media: '-', voice: 'closed', sip: 'up', closed: true },
    { media: '-', voice: 'closed', sip: 'over', closed: true },
    { media: 'up', voice: '-', sip: 'up', closed: false },
    { media: 'up', voice: '-', sip: 'over', closed: false },
    { media: 'up', voice: 'up', sip: 'up', closed: false },
    { media: 'up', voice: 'up', sip: 'over', closed: false },
    { media: 'up', voice: 'closed', sip: 'up', closed: false },
    { media: 'up', voice: 'closed', sip: 'over', closed: false },
    { media: 'closed', voice: '-', sip: 'up', closed: false },
    { media: 'closed', voice: '-', sip: 'over', closed: true },
    { media: 'closed', voice: 'up', sip: 'up', closed: false },
    { media: 'closed', voice: 'up', sip: 'over', closed: false },
    { media: 'closed', voice: 'closed', sip: 'up', closed: true },
    { media: 'closed', voice: 'closed', sip: 'over', closed: true },
  ] as const)('bridge: media $media, voice $voice, SIP $sip: $closed', ({ media, voice, sip, closed }) => {
    expect(isClosed(leg('bridge', media, voice), sip === 'over')).toBe(closed);
  });

  test.each(LEG_KINDS.filter((kind) => kind !== 'bridge'))('%s has one handle', (kind) => {
    const own = kind === 'webrtc' ? 'media' : 'voice';
    const closedBy = (side: 'media' | 'voice'): boolean =>
      isClosed(leg(kind, side === 'media' ? 'closed' : '-', side === 'voice' ? 'closed' : '-'), true);
    expect({ media: closedBy('media'), voice: closedBy('voice') }).toEqual({
      media: own === 'media',
      voice: own === 'voice',
    });
  });
});
