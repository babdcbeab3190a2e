import { systemIds } from '@partyline/runtime/system';
import fc from 'fast-check';
import { expect, it, test } from 'vitest';
import { newKey } from '../testing/test-harness.ts';
import { idsIn, targetsOf } from './targets.ts';

it('keeps ids as they are drawn, and keys’', () => {
  const params = {
    roomId: systemIds.next('room'),
    tenantId: systemIds.next('ten'),
    keyId: '9f86d081884c7d659a2feaa0c55ad015',
    seeded: '9f86d081884c',
  };
  expect(targetsOf(params)).toEqual(params);
  expect(targetsOf(undefined)).toEqual({});
});

test.each([
  '407281935',
  '+442079460018',
  '442079460018',
  'room_407281935',
  'room_442079460018',
  'ten_0000407281935',
  newKey(),
  newKey().slice(-43),
  `room_${newKey().slice(-43)}`,
  '',
  'x'.repeat(100),
  "'; DROP TABLE audit_entry; --",
])('keeps nothing of %s, which somebody wrote into an address', (value) =>
  expect(targetsOf({ roomId: value })).toEqual({ roomId: 'not an id' }),
);

it('keeps no address with four digits in a row that is not drawn by us', () => {
  fc.assert(
    fc.property(fc.string(), fc.stringMatching(/^\d{4,15}$/), fc.string(), (before, digits, after) => {
      const value = before + digits + after;
      fc.pre(!/^[a-z]{2,8}_[\w-]{22}$/.test(value) && !/^[0-9a-f]+$/.test(value));
      expect(targetsOf({ id: value })).toEqual({ id: 'not an id' });
    }),
  );
});

it('reads the ids out of a reply, and nothing else', () => {
  const [room, session, participant] = [systemIds.next('room'), systemIds.next('ses'), systemIds.next('part')];
  const reply = {
    room: { id: room, name: 'Room' },
    session: { id: session },
    participantId: participant,
    pin: '407281935',
    client: { token: 'T1==abc', id: 'not one of ours at all' },
    pinId: 7,
    keys: [{ id: room }],
    nextId: '407281935',
  };
  expect(idsIn(reply)).toEqual({ roomId: room, sessionId: session, participantId: participant });
  for (const none of [null, undefined, 'text', 7, []]) expect(idsIn(none)).toEqual({});
});
