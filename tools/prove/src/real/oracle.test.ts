import type { LedgerLeg } from '@partyline/vonage-emulator/control-client';
import { describe, expect, it } from 'vitest';
import {
  computeDelays,
  countGaps,
  createConstants,
  findLateExpiries,
  findMissedExpiries,
  findUnexplainedEnds,
  judgeLegs,
  type FaultWindow,
  type LegEvidence,
  type SessionEvidence,
} from './oracle.ts';

const CONSTANTS = createConstants(10_000);
const leg = (change: Partial<LedgerLeg> = {}): LedgerLeg => ({
  id: 'leg',
  kind: 'voice-inbound',
  account: 'a',
  accountKey: 'k',
  createdAt: 0,
  billedSeconds: 0,
  chargeMicros: 0,
  currency: 'EUR',
  conversation: 'c',
  endReason: 'rest-hangup',
  ...change,
});
const requested: SessionEvidence['requested'] = {
  createdAt: 0,
  clocks: {
    max_duration_s: 300,
    never_used_s: null,
    browsers_left_s: null,
    phones_left_s: null,
    alone_s: null,
    empty_s: 1,
  },
  endRequestedAt: null,
};
const ENDING: SessionEvidence = { id: 's', endingAt: 100_000, requested };
const evidence = (
  change: Partial<LedgerLeg>,
  session: SessionEvidence | null = ENDING,
  hangUpAttempts = 1,
): LegEvidence => ({
  leg: leg(change),
  session,
  joinedAt: 0,
  hangUpAttempts,
  lastHangUpAttemptAt: null,
  hasLostWebhook: false,
});
const during = (faultClass: FaultWindow['class'], from: number, until: number): FaultWindow => ({
  name: faultClass,
  target: 't',
  class: faultClass,
  from,
  until,
});
const judge = (of: LegEvidence, windows: FaultWindow[] = [], now = 1_000_000) =>
  judgeLegs([of], windows, now, CONSTANTS)[0]!;

describe('the bound of a leg', () => {
  it('is five seconds plus the time for hang-ups of other legs when nothing fails', () => {
    expect(judge(evidence({ endedAt: 105_100 }))).toMatchObject({
      endDueAt: 100_000,
      boundAt: 105_100,
      class: 'none',
      lateMs: 0,
    });
    expect(judge(evidence({ endedAt: 105_101 })).lateMs).toBe(1);
  });

  it('counts a leg that is still up as up until now', () => {
    expect(judge(evidence({ endReason: undefined }), [], 125_100).lateMs).toBe(20_000);
  });

  it('is the bound of the worst fault that was active when the end was due', () => {
    const kill = during('kill', 90_000, 96_000);
    expect(judge(evidence({ endedAt: 110_000 }), [kill])).toMatchObject({ class: 'kill', boundAt: 120_100 });
    expect(judge(evidence({ endedAt: 110_000 }), [during('kill', 80_000, 94_999)])).toMatchObject({ class: 'none' });
    expect(judge(evidence({ endedAt: 110_000 }), [during('redis', 105_101, 106_000)])).toMatchObject({ class: 'none' });
    expect(judge(evidence({ endedAt: 110_000 }), [kill, during('redis', 104_000, 106_000)])).toMatchObject({
      class: 'redis',
      boundAt: 130_100,
    });
  });

  it('adds the length of outages after the end was decided, counting overlaps once', () => {
    const windows = [during('postgres', 98_000, 103_000), during('provider-error', 102_000, 106_000)];
    expect(judge(evidence({ endedAt: 130_000 }), windows).boundAt).toBe(100_000 + 30_000 + 100 + 6_000);
  });

  it('applies lost webhooks to legs that miss one, and lost answers to legs created meanwhile', () => {
    const dropped = [during('webhooks-lost', 60_000, 62_000)];
    expect(judge(evidence({ endedAt: 130_000 }), dropped).class).toBe('none');
    expect(judge({ ...evidence({ endedAt: 130_000 }), hasLostWebhook: true }, dropped)).toMatchObject({
      class: 'webhooks-lost',
      boundAt: 140_100,
    });
    const silent = [during('provider-lost-create', 60_000, 62_000)];
    expect(judge(evidence({ endedAt: 130_000 }), silent).class).toBe('none');
    expect(judge(evidence({ createdAt: 61_000, endedAt: 130_000 }), silent)).toMatchObject({
      class: 'provider-lost-create',
      boundAt: 150_100,
    });
  });

  it('starts at the creation of a leg that was created after the end was decided', () => {
    expect(judge(evidence({ createdAt: 107_000, endedAt: 112_100 }))).toMatchObject({ endDueAt: 107_000, lateMs: 0 });
  });

  it('starts after every prompt and a goodbye for a caller who is not admitted', () => {
    expect(judge(evidence({ createdAt: 10_000, endedAt: 430_100, conversation: undefined }, null)).lateMs).toBe(0);
    expect(judge(evidence({ createdAt: 10_000, endedAt: 431_000, conversation: undefined }, null)).lateMs).toBe(900);
  });
});

describe('isFalseKill', () => {
  const running = { ...ENDING, endingAt: null };
  it('is true for a leg that the platform ended while its session ran', () => {
    expect(judge(evidence({ endedAt: 99_999 })).isFalseKill).toBe(true);
    expect(judge(evidence({ endedAt: 50_000 }, running)).isFalseKill).toBe(true);
    expect(judge(evidence({ endedAt: 50_000, endReason: 'ncco-complete' }, running)).isFalseKill).toBe(true);
    expect(
      judge(evidence({ endedAt: 50_000, endReason: 'forceDisconnected', kind: 'webrtc' }, running)).isFalseKill,
    ).toBe(true);
  });

  it('is false after the end of the session, for user hang-ups, timers, and callers who were not admitted', () => {
    expect(judge(evidence({ endedAt: 100_000 })).isFalseKill).toBe(false);
    for (const endReason of ['hung-up', 'length-timer', 'clientDisconnected'])
      expect(judge(evidence({ endedAt: 50_000, endReason }, running)).isFalseKill).toBe(false);
    expect(
      judge(evidence({ endedAt: 50_000, endReason: 'ncco-complete', conversation: undefined }, running)).isFalseKill,
    ).toBe(false);
  });

  it('is true for a caller who was hung up within the time for PIN entry', () => {
    expect(judge(evidence({ createdAt: 10_000, endedAt: 89_999 }, null)).isFalseKill).toBe(true);
    expect(judge(evidence({ createdAt: 10_000, endedAt: 90_000 }, null)).isFalseKill).toBe(false);
  });

  it('is false for one of two bridge legs of a session', () => {
    const bridge = { kind: 'sip-interconnect', sessionId: 'm', endReason: 'forceDisconnected' } as const;
    const two = [
      evidence({ ...bridge, id: '1', endedAt: 50_000 }, running),
      evidence({ ...bridge, id: '2', createdAt: 40_000, endedAt: 200_000 }, running),
    ];
    expect(judgeLegs(two, [], 300_000, CONSTANTS).map(({ isFalseKill }) => isFalseKill)).toEqual([false, false]);
    expect(judgeLegs(two.slice(0, 1), [], 300_000, CONSTANTS)[0]!.isFalseKill).toBe(true);
  });
});

it('allows one hang-up attempt per 15 seconds of outage, plus five', () => {
  expect([
    judge(evidence({ endedAt: 110_000 }, undefined, 6)).hasTooManyAttempts,
    judge(evidence({ endedAt: 110_000 }, undefined, 7)).hasTooManyAttempts,
  ]).toEqual([false, true]);
});

it('allows more attempts when the webhook of the end was lost, until the last one', () => {
  const attempts = { ...evidence({ endedAt: 100_100 }, undefined, 7), lastHangUpAttemptAt: 131_000 };
  expect([judge(attempts).hasTooManyAttempts, judge({ ...attempts, hasLostWebhook: true }).hasTooManyAttempts]).toEqual(
    [true, false],
  );
});

describe('findUnexplainedEnds', () => {
  const find = (session: SessionEvidence, windows: FaultWindow[] = [], change: Partial<LegEvidence> = {}) =>
    findUnexplainedEnds(
      [
        {
          ...evidence({ kind: 'webrtc', createdAt: 95_500, endedAt: 101_000, endReason: 'forceDisconnected' }),
          session,
        },
        { ...evidence({ endedAt: 98_000, endReason: 'hung-up' }), session, ...change },
      ],
      windows,
      CONSTANTS,
    ).map(({ hungUp }) => hungUp.length);

  it('finds a session that was ended while a participant was in it', () => {
    expect(find({ ...ENDING, endingAt: 100_800 })).toEqual([1]);
  });

  it('excuses a participant of whom the platform cannot know yet', () => {
    expect(find({ ...ENDING, endingAt: 100_000 })).toEqual([]);
    expect(find({ ...ENDING, endingAt: 100_800 }, [during('kill', 95_000, 96_000)])).toEqual([]);
  });

  it("accepts the tenant's request as the cause", () => {
    expect(find({ ...ENDING, endingAt: 100_800, requested: { ...requested, endRequestedAt: 100_700 } })).toEqual([]);
  });
});

describe('findMissedExpiries', () => {
  const RUNNING: SessionEvidence = { id: 's', endingAt: null, requested };
  const joined = (change: Partial<LedgerLeg>): LegEvidence => ({
    ...evidence({ createdAt: 1_000, endReason: 'caller', ...change }, RUNNING),
    joinedAt: 2_000,
  });
  const left = [joined({ endedAt: 10_000 })];
  const lateMs = (windows: readonly FaultWindow[], now: number, legs = left): number[] =>
    findMissedExpiries(legs, windows, now, CONSTANTS).map((each) => each.lateMs);

  it('finds a session that runs although everybody left and its clock expired', () => {
    // Five seconds to notice the departure, one of the clock, 50 of the longest bound, and five more.
    expect(lateMs([], 71_000)).toEqual([]);
    expect(lateMs([], 72_500)).toEqual([1_500]);
  });

  it('excuses faults, and two minutes more for those of the provider, which is asked who is connected', () => {
    expect(lateMs([during('kill', 64_000, 67_000)], 85_000)).toEqual([]);
    expect(lateMs([during('provider-error', 15_000, 17_000)], 190_000)).toEqual([]);
    expect(lateMs([during('provider-error', 15_000, 17_000)], 220_000)).toHaveLength(1);
  });

  it('excuses a session with a participant', () => {
    expect(lateMs([], 1e9, [...left, joined({ id: 'other' })])).toEqual([]);
  });
});

it('finds sessions that ended late after their clock expired', () => {
  const expiries = [
    { id: 'soon', dueAt: 100_000, endingAt: 104_000, isDeparture: false },
    { id: 'late', dueAt: 100_000, endingAt: 111_000, isDeparture: false },
    { id: 'asked', dueAt: 100_000, endingAt: 111_000, isDeparture: true },
  ];
  expect(findLateExpiries(expiries, [during('provider-error', 99_000, 120_000)], CONSTANTS)).toEqual([
    { id: 'late', lateMs: 6_000 },
  ]);
  expect(findLateExpiries(expiries, [], CONSTANTS).map(({ id }) => id)).toEqual(['late', 'asked']);
  expect(findLateExpiries(expiries, [during('kill', 99_000, 102_000)], CONSTANTS)).toEqual([]);
});

it('counts missing and duplicate sequence numbers', () => {
  expect([countGaps([1, 2, 3]), countGaps([1, 3, 3, 5]), countGaps([])]).toEqual([
    { lost: 0, duplicated: 0 },
    { lost: 2, duplicated: 1 },
    { lost: 0, duplicated: 0 },
  ]);
});

it('computes delays by class, of legs whose end was due', () => {
  const judged = judgeLegs(
    [
      evidence({ id: 'a', endedAt: 101_000 }),
      evidence({ id: 'b', endedAt: 103_000 }),
      evidence({ id: 'c', endedAt: 90_000, endReason: 'hung-up' }),
    ],
    [],
    200_000,
    CONSTANTS,
  );
  expect(computeDelays(judged, 200_000)).toEqual({ none: { count: 2, p50: 3_000, p99: 3_000, max: 3_000 } });
});
