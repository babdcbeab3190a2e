import { describe, expect, it } from 'vitest';
import {
  findCertainEnd,
  isEndExplained,
  type Attendance,
  type RequestedClocks,
  type SessionFacts,
} from './session-end.ts';

const OFF: RequestedClocks = {
  max_duration_s: 3_600,
  never_used_s: null,
  browsers_left_s: null,
  phones_left_s: null,
  alone_s: null,
  empty_s: null,
};
const present = (
  participant: string,
  fromS: number,
  untilS = Infinity,
  change: Partial<Attendance> = {},
): Attendance => ({
  kind: 'browser',
  participant,
  from: fromS * 1000,
  knownBy: fromS * 1000 + 5_000,
  until: untilS * 1000,
  ...change,
});
const phone = { kind: 'phone' } as const;
/** Whether the end at each of these seconds is explained. */
const explained = (
  atS: readonly number[],
  clocks: Partial<RequestedClocks>,
  attendance: readonly Attendance[],
  change: Partial<SessionFacts> = {},
): boolean[] =>
  atS.map((at) =>
    isEndExplained(
      { createdAt: 0, clocks: { ...OFF, ...clocks }, endRequestedAt: null, attendance, ...change },
      at * 1000,
    ),
  );

describe('isEndExplained', () => {
  it('is true from the first request of the tenant to end the room', () => {
    expect(explained([9.999, 10], {}, [present('a', 1)], { endRequestedAt: 10_000 })).toEqual([false, true]);
  });

  it('is true from the maximum duration', () => {
    expect(explained([3_599.999, 3_600], {}, [present('a', 1)])).toEqual([false, true]);
  });

  it('is true for an unused session, until a participant must be known', () => {
    expect(explained([299.999, 300], { never_used_s: 300 }, [])).toEqual([false, true]);
    expect(explained([300], { never_used_s: 300 }, [present('a', 297)])).toEqual([true]);
    expect(explained([300], { never_used_s: 300 }, [present('a', 290)])).toEqual([false]);
  });

  it('is true when the last participant left for the whole time of the clock', () => {
    const left = [present('a', 1, 100), present('b', 1, 80)];
    expect(explained([159.999, 160], { empty_s: 60 }, left)).toEqual([false, true]);
    expect(explained([60], { empty_s: 60 }, [])).toEqual([false]);
  });

  it('is false when a participant came back, for as long as a new clock runs', () => {
    const cameBack = [present('a', 1, 100), present('a', 110, 130)];
    expect(explained([160, 189.999, 190], { empty_s: 60 }, cameBack)).toEqual([false, false, true]);
  });

  it('is true although a participant joined of whom Partyline cannot know yet', () => {
    const joinedLate = [present('a', 1, 100), present('b', 120, Infinity, { knownBy: 210_000 })];
    expect(explained([160, 211], { empty_s: 60 }, joinedLate)).toEqual([true, false]);
  });

  it('counts browsers and telephones for the clocks of their kind only', () => {
    const some = [present('a', 1, 50), present('p', 1, Infinity, phone)];
    expect(explained([79.999, 80], { browsers_left_s: 30 }, some)).toEqual([false, true]);
    expect(explained([80], { phones_left_s: 30 }, some)).toEqual([false]);
    expect(explained([80], { phones_left_s: 30 }, [present('a', 1), present('p', 1, 50, phone)])).toEqual([true]);
  });

  it('is true when one participant was alone, however many connections it has', () => {
    const reloaded = [present('a', 1, 90), present('a', 80)];
    expect(explained([60.999, 61], { alone_s: 60 }, reloaded)).toEqual([false, true]);
    expect(explained([100], { alone_s: 60 }, [...reloaded, present('b', 1)])).toEqual([false]);
    expect(explained([100, 161], { alone_s: 60 }, [...reloaded, present('b', 1, 101)])).toEqual([false, true]);
  });
});

describe('findCertainEnd', () => {
  /** In seconds. Each connection counts as present for 20 s after its end. */
  const expiry = (clocks: Partial<RequestedClocks>, attendance: readonly Attendance[], delayMs = 0): number =>
    findCertainEnd(
      { createdAt: 0, clocks: { ...OFF, ...clocks } },
      attendance.map((each) => ({ ...each, goneBy: each.until + 20_000 })),
      delayMs,
    ) / 1000;

  it('is no time when a participant joins before the session can be ended', () => {
    expect(expiry({ alone_s: 60 }, [present('a', 1)], 5_000)).toBe(71);
    expect(expiry({ alone_s: 60 }, [present('a', 1), present('b', 68)], 5_000)).toBe(Infinity);
    expect(expiry({ never_used_s: 60 }, [present('a', 62)], 5_000)).toBe(Infinity);
  });

  it('is the time of a clock after the last participant is gone for certain', () => {
    const left = [present('a', 1, 100), present('b', 1, 80)];
    expect(expiry({ empty_s: 60 }, left)).toBe(180);
    expect(expiry({ browsers_left_s: 30 }, left)).toBe(150);
    expect(expiry({ phones_left_s: 30 }, left)).toBe(Infinity);
    expect(expiry({ empty_s: 60 }, [...left, present('c', 170, 175)])).toBe(255);
    expect(expiry({ empty_s: 60 }, [...left, present('c', 170)])).toBe(Infinity);
  });

  it('is the time of the clock of a participant who is alone for certain', () => {
    expect(expiry({ alone_s: 60 }, [present('a', 1), present('b', 1, 80)])).toBe(160);
    expect(expiry({ alone_s: 60 }, [present('a', 1, 150), present('b', 1, 80)])).toBe(Infinity);
    expect(expiry({ alone_s: 60 }, [present('a', 1)])).toBe(66);
  });

  it('is no time when Partyline need not have seen a participant', () => {
    expect(expiry({ empty_s: 60 }, [present('a', 1, 4)])).toBe(Infinity);
  });

  it('is the time of an unused session that nobody tried to join', () => {
    expect(expiry({ never_used_s: 300 }, [])).toBe(300);
    expect(expiry({ never_used_s: 300 }, [present('a', 290, 291)])).toBe(Infinity);
  });
});
