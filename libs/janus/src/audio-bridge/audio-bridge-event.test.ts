import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseAudioBridgeEvent } from './audio-bridge-event.ts';

const parse = (data: Record<string, unknown>) => parseAudioBridgeEvent(data, undefined);

it('returns an event for any JSON', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (data) => {
      expect(parse(data).type).toEqual(expect.any(String));
    }),
  );
});

it('returns an event for any fields of the events that Janus has', () => {
  const kind = fc.constantFrom('joined', 'left', 'event', 'destroyed', 'talking', 'announcement-started', 'unheard-of');
  const fields = fc.dictionary(
    fc.constantFrom('room', 'id', 'participants', 'leaving', 'kicked', 'muted', 'file_id', 'error', 'error_code'),
    fc.oneof(fc.jsonValue(), fc.array(fc.dictionary(fc.constantFrom('id', 'display', 'muted'), fc.jsonValue()))),
  );
  fc.assert(
    fc.property(kind, fields, (audiobridge, data) => {
      expect(parse({ ...data, audiobridge }).type).toEqual(expect.any(String));
    }),
  );
});

it('returns numbers as identifiers', () => {
  expect(parse({ audiobridge: 'event', room: 1, leaving: 2 })).toEqual({
    type: 'participant-left',
    room: '1',
    id: '2',
  });
});

it.each([
  ['unknown', { audiobridge: 'joined', room: 'r' }],
  ['unknown', { audiobridge: 'event', leaving: 'p' }],
  ['request-failed', { audiobridge: 'event', error: 'No such room', error_code: 485 }],
  ['file-stopped', { audiobridge: 'announcement-stopped', room: 'r', file_id: 'f' }],
  ['room-muted', { audiobridge: 'event', room: 'r', muted: true }],
])('returns %s for %j', (type, data) => {
  expect(parse(data)).toMatchObject({ type });
});
