import { systemIds } from '@partyline/runtime/system';
import fc from 'fast-check';
import { expect, it, test } from 'vitest';
import { generateKey } from '../testing/test-harness.ts';
import { findReplyIds, findPathIds } from './targets.ts';

it('keeps generated ids and key ids', () => {
  const params = {
    roomId: systemIds.next('room'),
    tenantId: systemIds.next('ten'),
    keyId: '9f86d081884c7d659a2feaa0c55ad015',
    seeded: '9f86d081884c',
  };
  expect(findPathIds(params)).toEqual(params);
  expect(findPathIds(undefined)).toEqual({});
});

test.each([
  '407281935',
  '+442079460018',
  '442079460018',
  'room_407281935',
  'room_442079460018',
  'ten_0000407281935',
  generateKey(),
  generateKey().slice(-43),
  `room_${generateKey().slice(-43)}`,
  '',
  'x'.repeat(100),
  "'; DROP TABLE audit_entry; --",
])('replaces %s in a path', (value) => expect(findPathIds({ roomId: value })).toEqual({ roomId: 'not an id' }));

it('replaces every path value with four digits in a row that is not a generated id', () => {
  fc.assert(
    fc.property(fc.string(), fc.stringMatching(/^\d{4,15}$/), fc.string(), (before, digits, after) => {
      const value = before + digits + after;
      fc.pre(!/^[a-z]{2,8}_[\w-]{22}$/.test(value) && !/^[0-9a-f]+$/.test(value));
      expect(findPathIds({ id: value })).toEqual({ id: 'not an id' });
    }),
  );
});

it('finds the ids in a reply, and no other values', () => {
  const [room, session, participant] = [systemIds.next('room'), systemIds.next('ses'), systemIds.next('part')];
  const reply = {
    room: { id: room, name: 'Room' },
    session: { id: session },
    participantId: participant,
    pin: '407281935',
    client: { token: 'T1==abc', id: 'an id of the provider' },
    pinId: 7,
    keys: [{ id: room }],
    nextId: '407281935',
  };
  expect(findReplyIds(reply)).toEqual({ roomId: room, sessionId: session, participantId: participant });
  for (const none of [null, undefined, 'text', 7, []]) expect(findReplyIds(none)).toEqual({});
});
