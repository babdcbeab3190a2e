import { describe, expect, it } from 'vitest';
import { compareCalls, compareConnections } from './compare-billing.ts';

const call = (id: string, billedSeconds: number) => ({ id, kind: 'voice-inbound' as const, billedSeconds });

describe('compareCalls', () => {
  it('allows a difference of one second', () => {
    expect(
      compareCalls(
        [call('a', 10), call('b', 5), call('c', 0)],
        new Map([
          ['a', 11],
          ['b', 5],
        ]),
      ),
    ).toEqual({ maxSeconds: 1, problems: [] });
  });

  it('reports a difference of two seconds and a billed call without a record', () => {
    const { maxSeconds, problems } = compareCalls([call('a', 10), call('b', 5)], new Map([['a', 12]]));
    expect(maxSeconds).toBe(5);
    expect(problems).toEqual([
      'voice-inbound a was billed for 10 s but is recorded with 12 s',
      'voice-inbound b was billed for 5 s but has no call record',
    ]);
  });
});

describe('compareConnections', () => {
  const connections = [{ id: 'a', kind: 'webrtc' as const, createdAt: 0, endedAt: 10_000 }];
  const record = { id: 'a', seconds: 11, source: 'callback', endsAfterObserved: false };

  it('requires the seconds of the ledger in a record from a callback only', () => {
    expect(compareConnections(connections, [record])).toEqual([]);
    expect(compareConnections(connections, [{ ...record, seconds: 40, source: 'look-up' }])).toEqual([]);
    expect(compareConnections(connections, [{ ...record, seconds: 12 }])).toHaveLength(1);
  });

  it('reports a record that ends after the observed end', () => {
    const late = { ...record, source: 'look-up', endsAfterObserved: true };
    expect(compareConnections(connections, [late])).toHaveLength(1);
  });
});
