import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { LEG_KINDS, LEG_STATES } from './leg.ts';
import { END_REASONS, SESSION_STATES } from './session.ts';
import {
  updateClockMarks,
  findNextDeadline,
  countPresence,
  type ClockMarks,
  type Presence,
  type Schedule,
  type SessionClocks,
} from './session-clock.ts';

const T0 = new Date('2026-03-01T10:00:00.000Z');
const at = (seconds: number): Date => new Date(T0.getTime() + seconds * 1_000);
const NOTHING = {
  had_browser: false,
  had_phone: false,
  had_host: false,
  host_left_at: null,
  browsers_left_at: null,
  phones_left_at: null,
  alone_since: null,
  empty_since: null,
};
const ALL_ON: SessionClocks & Schedule = {
  max_duration_s: 3_600,
  never_used_s: 900,
  browsers_left_s: 30,
  phones_left_s: 40,
  alone_s: 600,
  empty_s: 20,
  host_left_s: 50,
  ends_at: null,
};

const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(value, { nil: null });
const seconds = fc.integer({ min: 0, max: 100_000 });
const date = seconds.map(at);
const clocks: fc.Arbitrary<SessionClocks & Schedule> = fc.record({
  max_duration_s: fc.integer({ min: 1, max: 86_400 }),
  never_used_s: maybe(seconds),
  browsers_left_s: maybe(seconds),
  phones_left_s: maybe(seconds),
  alone_s: maybe(seconds),
  empty_s: maybe(seconds),
  host_left_s: maybe(seconds),
  ends_at: maybe(date),
});
const marks: fc.Arbitrary<ClockMarks> = fc.record({
  browsers_left_at: maybe(date),
  phones_left_at: maybe(date),
  alone_since: maybe(date),
  empty_since: maybe(date),
  host_left_at: maybe(date),
});
const here: fc.Arbitrary<Presence> = fc.record({ browsers: fc.nat(3), phones: fc.nat(3), hosts: fc.nat(1) });

describe('countPresence', () => {
  it('counts browsers and phones that are answered or joined, and not the bridge', () => {
    const legs = LEG_KINDS.flatMap((kind) =>
      LEG_STATES.map((state) => ({ kind, state, role: kind === 'inbound' ? 'host' : 'participant' })),
    );
    expect(countPresence(legs)).toEqual({ browsers: 2, phones: 4, hosts: 2 });
    expect(countPresence([])).toEqual({ browsers: 0, phones: 0, hosts: 0 });
  });
});

describe('findNextDeadline', () => {
  it('always returns a deadline with a valid reason, not later than the maximum duration', () => {
    fc.assert(
      fc.property(fc.constantFrom(...SESSION_STATES), marks, clocks, (state, running, settings) => {
        const due = findNextDeadline({ created_at: T0, state, ...running }, settings);
        expect(due.at.getTime()).toBeLessThanOrEqual(at(settings.max_duration_s).getTime());
        expect(END_REASONS).toContain(due.reason);
      }),
      { numRuns: 500 },
    );
  });

  test.each([
    { name: 'no participant ever joined', state: 'open', marks: {}, due: 900, reason: 'never-used' },
    { name: 'participants are present', state: 'live', marks: {}, due: 3_600, reason: 'max-duration' },
    {
      name: 'the last browser left',
      state: 'live',
      marks: { browsers_left_at: at(100) },
      due: 130,
      reason: 'browsers-left',
    },
    { name: 'the last phone left', state: 'live', marks: { phones_left_at: at(100) }, due: 140, reason: 'phones-left' },
    { name: 'the last host left', state: 'live', marks: { host_left_at: at(100) }, due: 150, reason: 'host-left' },
    { name: 'one participant remains', state: 'live', marks: { alone_since: at(100) }, due: 700, reason: 'alone' },
    {
      name: 'all participants left',
      state: 'live',
      marks: { empty_since: at(100), browsers_left_at: at(100), phones_left_at: at(95) },
      due: 120,
      reason: 'empty',
    },
    {
      name: 'a clock would end after the maximum duration',
      state: 'live',
      marks: { alone_since: at(3_599) },
      due: 3_600,
      reason: 'max-duration',
    },
  ] as const)('$name: $reason', ({ state, marks: running, due, reason }) => {
    expect(findNextDeadline({ created_at: T0, state, ...NOTHING, ...running }, ALL_ON)).toMatchObject({
      at: at(due),
      reason,
    });
  });

  it('returns the scheduled end of the room when it comes first', () => {
    const due = (ends: number) =>
      findNextDeadline(
        { created_at: T0, state: 'live', ...NOTHING, alone_since: at(100) },
        { ...ALL_ON, ends_at: at(ends) },
      );
    expect([due(699), due(701)]).toMatchObject([
      { at: at(699), reason: 'schedule-ended' },
      { at: at(700), reason: 'alone' },
    ]);
  });

  it('ignores every clock that is switched off', () => {
    const off: SessionClocks & Schedule = {
      max_duration_s: 3_600,
      never_used_s: null,
      browsers_left_s: null,
      phones_left_s: null,
      alone_s: null,
      empty_s: null,
      host_left_s: null,
      ends_at: null,
    };
    fc.assert(
      fc.property(fc.constantFrom(...SESSION_STATES), marks, (state, running) => {
        expect(findNextDeadline({ created_at: T0, state, ...running }, off).reason).toBe('max-duration');
      }),
    );
  });
});

describe('updateClockMarks', () => {
  it('runs each clock only while its cause holds, and keeps the start of a running clock', () => {
    fc.assert(
      fc.property(
        fc.boolean(),
        fc.boolean(),
        fc.boolean(),
        marks,
        here,
        date,
        (browser, phone, host, running, now, moment) => {
          const after = updateClockMarks(
            { had_browser: browser, had_phone: phone, had_host: host, ...running },
            now,
            moment,
          );
          const hadBrowser = browser || now.browsers > 0;
          const hadPhone = phone || now.phones > 0;
          const participants = now.browsers + now.phones;
          expect(after.browsers_left_at).toEqual(
            hadBrowser && now.browsers === 0 ? (running.browsers_left_at ?? moment) : null,
          );
          expect(after.phones_left_at).toEqual(
            hadPhone && now.phones === 0 ? (running.phones_left_at ?? moment) : null,
          );
          expect(after.alone_since).toEqual(participants === 1 ? (running.alone_since ?? moment) : null);
          expect(after.empty_since).toEqual(
            (hadBrowser || hadPhone) && participants === 0 ? (running.empty_since ?? moment) : null,
          );
          expect(after.host_left_at).toEqual(
            (host || now.hosts > 0) && now.hosts === 0 ? (running.host_left_at ?? moment) : null,
          );
          expect([after.had_browser, after.had_phone, after.had_host]).toEqual([
            hadBrowser,
            hadPhone,
            host || now.hosts > 0,
          ]);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('changes nothing for a duplicate event', () => {
    fc.assert(
      fc.property(fc.boolean(), fc.boolean(), marks, here, date, date, (browser, phone, running, now, once, again) => {
        const first = updateClockMarks(
          { had_browser: browser, had_phone: phone, had_host: browser, ...running },
          now,
          once,
        );
        expect(updateClockMarks(first, now, again)).toEqual(first);
      }),
    );
  });

  it('starts no leaving clock before the first join, and restarts it after a return', () => {
    const steps = [
      { here: { browsers: 0, phones: 0 }, left: null, empty: null },
      { here: { browsers: 0, phones: 1 }, left: null, empty: null },
      { here: { browsers: 1, phones: 1 }, left: null, empty: null },
      { here: { browsers: 0, phones: 1 }, left: 3, empty: null },
      { here: { browsers: 0, phones: 0 }, left: 3, empty: 4 },
      { here: { browsers: 1, phones: 0 }, left: null, empty: null },
      { here: { browsers: 0, phones: 0 }, left: 6, empty: 6 },
    ];
    let state: Parameters<typeof updateClockMarks>[0] = NOTHING;
    for (const [second, change] of steps.entries()) {
      state = updateClockMarks(state, { ...change.here, hosts: 0 }, at(second));
      expect([state.browsers_left_at, state.empty_since]).toEqual(
        [change.left, change.empty].map((s) => (s === null ? null : at(s))),
      );
    }
  });
});
