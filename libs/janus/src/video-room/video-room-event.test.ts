import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseVideoRoomEvent } from './video-room-event.ts';

const parse = (data: Record<string, unknown>) => parseVideoRoomEvent(data, undefined);

it('returns an event for any JSON', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (data) => {
      expect(parse(data).type).toEqual(expect.any(String));
    }),
  );
});

it('returns an event for any fields of the events that Janus has', () => {
  const kind = fc.constantFrom('event', 'updated', 'destroyed', 'talking', 'slow_link', 'unheard-of');
  const names = 'room id mid publishers leaving kicked unpublished joining reason moderation substream streams error';
  const fields = fc.dictionary(
    fc.constantFrom(...names.split(' ')),
    fc.oneof(fc.jsonValue(), fc.array(fc.dictionary(fc.constantFrom('id', 'mid', 'type', 'streams'), fc.jsonValue()))),
  );
  fc.assert(
    fc.property(kind, fields, (videoroom, data) => {
      expect(parse({ ...data, videoroom }).type).toEqual(expect.any(String));
    }),
  );
});

it('returns a publisher without the streams that it does not know', () => {
  const streams = [
    { type: 'video', mid: '0', codec: 'vp8', simulcast: true, moderated: true, description: 'camera' },
    { type: 'audio', mid: '1', disabled: true },
    { type: 'hologram', mid: '2' },
  ];
  expect(parse({ videoroom: 'event', room: 1, publishers: [{ id: 2, streams }, { display: 'no id' }] })).toEqual({
    type: 'published',
    room: '1',
    publishers: [
      {
        id: '2',
        display: undefined,
        streams: [
          {
            mid: '0',
            kind: 'video',
            codec: 'vp8',
            description: 'camera',
            isDisabled: false,
            isSimulcast: true,
            isModerated: true,
          },
          {
            mid: '1',
            kind: 'audio',
            codec: undefined,
            description: undefined,
            isDisabled: true,
            isSimulcast: false,
            isModerated: false,
          },
        ],
      },
    ],
  });
});

it.each([
  [
    { type: 'kicked', room: 'r' },
    { leaving: 'ok', reason: 'kicked' },
  ],
  [{ type: 'participant-left', id: 'p' }, { leaving: 'p' }],
  [{ type: 'participant-kicked', id: 'p' }, { kicked: 'p' }],
  [{ type: 'unpublished', id: 'p' }, { unpublished: 'p' }],
  [{ type: 'participant-joined', id: 'p', display: 'P' }, { joining: { id: 'p', display: 'P' } }],
  [
    { type: 'layer-changed', mid: '0', substream: 2, temporal: undefined },
    { mid: '0', substream: 2 },
  ],
  [
    { type: 'layer-changed', mid: '0', temporal: 1 },
    { mid: '0', temporal: 1 },
  ],
  [
    { type: 'moderated', id: 'p', mid: '0', isMuted: false },
    { id: 'p', mid: '0', moderation: 'unmuted' },
  ],
  [{ type: 'unknown' }, { mid: '0' }],
  [{ type: 'unknown' }, { configured: 'ok' }],
])('returns %j', (event, fields) => {
  expect(parse({ videoroom: 'event', room: 'r', ...fields })).toMatchObject(event);
});

it('returns the cap of the bitrate for lost packets', () => {
  expect(parse({ videoroom: 'slow_link', 'current-bitrate': 128_000 })).toEqual({
    type: 'slow-media',
    bitrate: 128_000,
  });
});
