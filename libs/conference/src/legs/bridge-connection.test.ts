import { expect, test } from 'vitest';
import { findBridgeConnection } from './bridge-connection.ts';

const dialled = { id: 'leg_1', voice_call_id: null, answered_at: null };
const arrived = { id: 'leg_1', voice_call_id: 'call', answered_at: new Date(60_000) };
const of = (...ids: string[]) => ids.map((connectionId) => ({ connectionId, createdAt: null }));
const createdAt = (connectionId: string, ms: number) => ({ connectionId, createdAt: new Date(ms) });

test.each([
  [
    'its data names the leg',
    dialled,
    [{ connectionId: 'a', createdAt: null, data: '{"leg":"leg_1"}' }, ...of('b')],
    [],
    'a',
  ],
  ['it is the only unknown one, and the call has arrived', arrived, of('a', 'b'), ['a'], 'b'],
  ['it is unknown, but no call has arrived', dialled, of('a'), [], undefined],
  ['it is one of two unknown ones without a time', arrived, of('a', 'b'), [], undefined],
  [
    'it is one of several unknown ones, created closest to the answer',
    arrived,
    [createdAt('a', 52_000), createdAt('b', 59_700), createdAt('c', 61_000), ...of('d')],
    [],
    'b',
  ],
  [
    'the closest of several unknown ones was created 6 s before the answer',
    arrived,
    [createdAt('a', 52_000), createdAt('b', 54_000)],
    [],
    undefined,
  ],
  ['the only unknown one was created 6 s before the answer', arrived, [createdAt('a', 54_000)], [], undefined],
  [
    'it was created closest to the answer, 6 s before it, and is not known 91 s later',
    arrived,
    [createdAt('a', 52_000), createdAt('b', 54_000)],
    [],
    'b',
    151_000,
  ],
  [
    'there are several unknown ones, but no call has arrived',
    dialled,
    [createdAt('a', 59_900), createdAt('b', 59_950)],
    [],
    undefined,
  ],
  ['all are known', arrived, of('a'), ['a'], undefined],
  [
    'its data names another leg',
    arrived,
    [{ connectionId: 'a', createdAt: null, data: '{"leg":"leg_2"}' }],
    [],
    undefined,
  ],
])('finds the connection of a bridge leg when %s', (_when, leg, live, known, found, now = 70_000) => {
  expect(findBridgeConnection(leg, live, new Set(known), new Date(now))?.connectionId).toBe(found);
});
