import { expect, test } from 'vitest';
import { findBridgeConnection } from './bridge-connection.ts';

const dialled = { id: 'leg_1', voice_call_id: null };
const arrived = { id: 'leg_1', voice_call_id: 'call' };
const of = (...ids: string[]) => ids.map((connectionId) => ({ connectionId }));

test.each([
  ['its data names the leg', dialled, [{ connectionId: 'a', data: '{"leg":"leg_1"}' }, ...of('b')], [], 'a'],
  ['it is the only unknown one, and the call has arrived', arrived, of('a', 'b'), ['a'], 'b'],
  ['it is unknown, but no call has arrived', dialled, of('a'), [], undefined],
  ['it is one of two unknown ones', arrived, of('a', 'b'), [], undefined],
  ['all are known', arrived, of('a'), ['a'], undefined],
  ['its data names another leg', arrived, [{ connectionId: 'a', data: '{"leg":"leg_2"}' }], [], undefined],
])('finds the connection of a bridge leg when %s', (_when, leg, live, known, found) => {
  expect(findBridgeConnection(leg, live, new Set(known))?.connectionId).toBe(found);
});
