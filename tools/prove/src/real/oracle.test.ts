import type { LedgerLeg } from '@partyline/vonage-emulator/control-client';
import { describe, expect, it } from 'vitest';
import { delays, gaps, judge, lateDecisions, standard, type LegSeen, type SessionSeen, type Window } from './oracle.ts';

const CONSTANTS = standard(10_000);
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
const seen = (
  change: Partial<LedgerLeg>,
  session: SessionSeen | null = { id: 's', endingAt: 100_000 },
  asks = 1,
): LegSeen => ({ leg: leg(change), session, asks, unseen: false });
const during = (faultClass: Window['class'], from: number, until: number): Window => ({
  name: faultClass,
  target: 't',
  class: faultClass,
  from,
  until,
});
const one = (of: LegSeen, windows: Window[] = [], now = 1_000_000) => judge([of], windows, now, CONSTANTS)[0]!;

describe('the bound of a leg', () => {
  it('is five seconds and its place in the line when nothing fails', () => {
    expect(one(seen({ endedAt: 105_100 }))).toMatchObject({
      owedAt: 100_000,
      dueAt: 105_100,
      class: 'none',
      lateMs: 0,
    });
    expect(one(seen({ endedAt: 105_101 })).lateMs).toBe(1);
  });

  it('counts a leg that is still up as up until now', () => {
    expect(one(seen({ endReason: undefined }), [], 125_100).lateMs).toBe(20_000);
  });

  it('is that of the worst fault that was active, not of one long over or yet to come', () => {
    const killed = during('kill', 90_000, 96_000);
    expect(one(seen({ endedAt: 110_000 }), [killed])).toMatchObject({ class: 'kill', dueAt: 120_100 });
    expect(one(seen({ endedAt: 110_000 }), [during('kill', 80_000, 94_999)])).toMatchObject({ class: 'none' });
    expect(one(seen({ endedAt: 110_000 }), [during('redis', 105_101, 106_000)])).toMatchObject({ class: 'none' });
    expect(one(seen({ endedAt: 110_000 }), [killed, during('redis', 104_000, 106_000)])).toMatchObject({
      class: 'redis',
      dueAt: 130_100,
    });
  });

  it('adds the length of outages, once where they overlap, and only after the end was decided', () => {
    const windows = [during('postgres', 98_000, 103_000), during('provider-error', 102_000, 106_000)];
    expect(one(seen({ endedAt: 130_000 }), windows).dueAt).toBe(100_000 + 30_000 + 100 + 6_000);
  });

  it('takes lost webhooks as an excuse only for a leg that they were about, and lost answers for one made meanwhile', () => {
    const dropped = [during('webhooks-lost', 60_000, 62_000)];
    expect(one(seen({ endedAt: 130_000 }), dropped).class).toBe('none');
    expect(one({ ...seen({ endedAt: 130_000 }), unseen: true }, dropped)).toMatchObject({
      class: 'webhooks-lost',
      dueAt: 140_100,
    });
    const silent = [during('provider-lost-create', 60_000, 62_000)];
    expect(one(seen({ endedAt: 130_000 }), silent).class).toBe('none');
    expect(one(seen({ createdAt: 61_000, endedAt: 130_000 }), silent)).toMatchObject({
      class: 'provider-lost-create',
      dueAt: 150_100,
    });
  });

  it('starts with the leg when that was made after the end', () => {
    expect(one(seen({ createdAt: 107_000, endedAt: 112_100 }))).toMatchObject({ owedAt: 107_000, lateMs: 0 });
  });

  it('gives a caller who is not let in the time of three tries and a good-bye first', () => {
    expect(one(seen({ createdAt: 10_000, endedAt: 120_100, conversation: undefined }, null)).lateMs).toBe(0);
    expect(one(seen({ createdAt: 10_000, endedAt: 121_000, conversation: undefined }, null)).lateMs).toBe(900);
  });
});

describe('a false kill', () => {
  const running = { id: 's', endingAt: null };
  it('is a live leg that we ended while its session ran', () => {
    expect(one(seen({ endedAt: 99_999 })).falseKill).toBe(true);
    expect(one(seen({ endedAt: 50_000 }, running)).falseKill).toBe(true);
    expect(one(seen({ endedAt: 50_000, endReason: 'ncco-complete' }, running)).falseKill).toBe(true);
    expect(one(seen({ endedAt: 50_000, endReason: 'forceDisconnected', kind: 'webrtc' }, running)).falseKill).toBe(
      true,
    );
  });

  it('is not one whose session has ended, who hung up, whose timer ran out, or who was never let in', () => {
    expect(one(seen({ endedAt: 100_000 })).falseKill).toBe(false);
    for (const endReason of ['hung-up', 'length-timer', 'clientDisconnected'])
      expect(one(seen({ endedAt: 50_000, endReason }, running)).falseKill).toBe(false);
    expect(one(seen({ endedAt: 50_000, endReason: 'ncco-complete', conversation: undefined }, running)).falseKill).toBe(
      false,
    );
  });

  it('is a caller who is hung up before there was time to key a PIN', () => {
    expect(one(seen({ createdAt: 10_000, endedAt: 39_999 }, null)).falseKill).toBe(true);
    expect(one(seen({ createdAt: 10_000, endedAt: 40_000 }, null)).falseKill).toBe(false);
  });

  it('is not the second of two bridges', () => {
    const bridge = { kind: 'sip-interconnect', sessionId: 'm', endReason: 'forceDisconnected' } as const;
    const two = [
      seen({ ...bridge, id: '1', endedAt: 50_000 }, running),
      seen({ ...bridge, id: '2', createdAt: 40_000, endedAt: 200_000 }, running),
    ];
    expect(judge(two, [], 300_000, CONSTANTS).map(({ falseKill }) => falseKill)).toEqual([false, false]);
    expect(judge(two.slice(0, 1), [], 300_000, CONSTANTS)[0]!.falseKill).toBe(true);
  });
});

it('takes at most one request per 15 seconds, and five', () => {
  expect([
    one(seen({ endedAt: 110_000 }, undefined, 6)).tooManyAsks,
    one(seen({ endedAt: 110_000 }, undefined, 7)).tooManyAsks,
  ]).toEqual([false, true]);
});

it('finds clocks that ran out unnoticed', () => {
  const decided = [
    { id: 'soon', dueAt: 100_000, endingAt: 104_000 },
    { id: 'late', dueAt: 100_000, endingAt: 111_000 },
  ];
  expect(lateDecisions(decided, [during('provider-error', 99_000, 120_000)], CONSTANTS)).toEqual([
    { id: 'late', lateMs: 6_000 },
  ]);
  expect(lateDecisions(decided, [during('kill', 99_000, 102_000)], CONSTANTS)).toEqual([]);
});

it('finds what is missing from a sequence, and what is there twice', () => {
  expect([gaps([1, 2, 3]), gaps([1, 3, 3, 5]), gaps([])]).toEqual([
    { lost: 0, duplicated: 0 },
    { lost: 2, duplicated: 1 },
    { lost: 0, duplicated: 0 },
  ]);
});

it('tells delays by class, of those that had to be ended', () => {
  const judged = judge(
    [
      seen({ id: 'a', endedAt: 101_000 }),
      seen({ id: 'b', endedAt: 103_000 }),
      seen({ id: 'c', endedAt: 90_000, endReason: 'hung-up' }),
    ],
    [],
    200_000,
    CONSTANTS,
  );
  expect(delays(judged, 200_000)).toEqual({ none: { count: 2, p50: 3_000, p99: 3_000, max: 3_000 } });
});
