import { describe, expect, it } from 'vitest';
import { compare, compareMedia } from './compare-billing.ts';

const call = (id: string, billedSeconds: number) => ({ id, kind: 'voice-inbound' as const, billedSeconds });

describe('our records beside the vendor’s books', () => {
  it('may be a second off', () => {
    expect(
      compare(
        [call('a', 10), call('b', 5), call('c', 0)],
        new Map([
          ['a', 11],
          ['b', 5],
        ]),
      ),
    ).toEqual({ maxSeconds: 1, troubles: [] });
  });

  it('must not be two seconds off, nor a record missing of what was charged', () => {
    const { maxSeconds, troubles } = compare([call('a', 10), call('b', 5)], new Map([['a', 12]]));
    expect([maxSeconds, troubles.length]).toEqual([5, 2]);
  });
});

it('a connection’s record says the vendor’s seconds where a callback told them, and never ends after it was seen to be gone', () => {
  const connections = [{ id: 'a', kind: 'webrtc' as const, createdAt: 0, endedAt: 10_000 }];
  const record = { id: 'a', seconds: 11, source: 'callback', late: false };
  expect(compareMedia(connections, [record])).toEqual([]);
  expect(compareMedia(connections, [{ ...record, seconds: 40, source: 'look-up' }])).toEqual([]);
  expect(compareMedia(connections, [{ ...record, seconds: 12 }])).toHaveLength(1);
  expect(compareMedia(connections, [{ ...record, source: 'look-up', late: true }])).toHaveLength(1);
});
