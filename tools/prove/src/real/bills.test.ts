import { describe, expect, it } from 'vitest';
import { compare } from './bills.ts';

const call = (id: string, billedSeconds: number) => ({ id, kind: 'voice-inbound' as const, billedSeconds });

describe('our records beside the vendor’s books', () => {
  it('may be a second off', () => {
    expect(compare([call('a', 10), call('b', 5), call('c', 0)], new Map([['a', 11], ['b', 5]]))).toEqual({ maxSeconds: 1, troubles: [] });
  });

  it('must not be two seconds off, nor a record missing of what was charged', () => {
    const { maxSeconds, troubles } = compare([call('a', 10), call('b', 5)], new Map([['a', 12]]));
    expect([maxSeconds, troubles.length]).toEqual([5, 2]);
  });
});
