import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addStaticRtpmaps, negotiateAudio, VOICE_CODECS, wantsAudio } from './negotiate-codec.ts';

const sdp = (media: string, ...attributes: string[]): string =>
  ['v=0', 'o=- 1 1 IN IP4 127.0.0.1', 's=-', 'c=IN IP4 127.0.0.1', 't=0 0', media, ...attributes, ''].join('\r\n');

describe('negotiateAudio', () => {
  it.each([
    ['static types without rtpmap', sdp('m=audio 4000 RTP/AVP 8 0'), 'PCMA', 8, undefined],
    [
      'the order of the other side, and its digits',
      sdp('m=audio 4000 RTP/AVP 0 8 101', 'a=rtpmap:101 telephone-event/8000'),
      'PCMU',
      0,
      { payloadType: 101, clockRate: 8_000 },
    ],
    [
      'a dynamic type',
      sdp('m=audio 4000 UDP/TLS/RTP/SAVPF 111 126', 'a=rtpmap:111 opus/48000/2', 'a=rtpmap:126 telephone-event/8000'),
      'opus',
      111,
      { payloadType: 126, clockRate: 8_000 },
    ],
    [
      'digits at the clock rate of the codec',
      sdp(
        'm=audio 4000 RTP/AVP 96 97 98',
        'a=rtpmap:96 opus/48000/2',
        'a=rtpmap:97 telephone-event/8000',
        'a=rtpmap:98 telephone-event/48000',
      ),
      'opus',
      96,
      { payloadType: 98, clockRate: 48_000 },
    ],
    ['names in another case', sdp('m=audio 4000 RTP/AVP 99', 'a=rtpmap:99 pcmu/8000'), 'PCMU', 99, undefined],
    [
      'a static type before a dynamic one',
      sdp('m=audio 4000 RTP/AVP 9 96', 'a=rtpmap:96 opus/48000/2'),
      'G722',
      9,
      undefined,
    ],
    [
      'the audio section after a video section',
      sdp('m=video 5000 RTP/AVP 100', 'a=rtpmap:100 VP8/90000', 'm=audio 4000 RTP/AVP 0'),
      'PCMU',
      0,
      undefined,
    ],
  ] as const)('chooses %s', (_what, offer, codec, payloadType, dtmf) =>
    expect(negotiateAudio(offer, VOICE_CODECS)).toEqual({ codec, payloadType, dtmf }),
  );

  it.each([
    ['an unknown codec', sdp('m=audio 4000 RTP/AVP 18', 'a=rtpmap:18 G729/8000')],
    ['a codec at another clock rate', sdp('m=audio 4000 RTP/AVP 99', 'a=rtpmap:99 PCMU/16000')],
    ['a refused section', sdp('m=audio 0 RTP/AVP 0')],
    ['no audio', sdp('m=video 4000 RTP/AVP 0')],
    ['no SDP', ''],
  ])('finds nothing in %s', (_what, offer) => expect(negotiateAudio(offer, VOICE_CODECS)).toBeUndefined());

  it('never throws, whatever the SDP', () => {
    const line = fc.oneof(
      fc.string(),
      fc.constantFrom(
        'm=audio 1 RTP/AVP 0 x -1',
        'm=audio',
        'a=rtpmap:0',
        'a=rtpmap:101 telephone-event',
        'm=video 1 1 1',
      ),
    );
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        const text = lines.join('\r\n');
        expect(negotiateAudio(text, VOICE_CODECS)?.codec ?? 'PCMU').toMatch(/^(opus|G722|PCMU|PCMA)$/);
        expect(wantsAudio(text)).toBeTypeOf('boolean');
        expect(addStaticRtpmaps(text).split('\r\n')).toEqual(expect.arrayContaining(text.split('\r\n')));
      }),
    );
  });
});

describe('wantsAudio', () => {
  const audio = 'm=audio 4000 RTP/AVP 0';
  it.each([
    ['no direction', sdp(audio), true],
    ['sendrecv', sdp(audio, 'a=sendrecv'), true],
    ['recvonly', sdp(audio, 'a=recvonly'), true],
    ['sendonly', sdp(audio, 'a=sendonly'), false],
    ['inactive', sdp(audio, 'a=ptime:20', 'a=inactive'), false],
    ['a direction of the session', sdp('a=inactive', audio), false],
    ['a direction of the media before that of the session', sdp('a=inactive', audio, 'a=sendrecv'), true],
    ['a direction of other media', sdp(audio, 'm=video 1 RTP/AVP 100', 'a=inactive'), true],
  ])('%s: %s', (_what, text, wanted) => expect(wantsAudio(text)).toBe(wanted));
});

describe('addStaticRtpmaps', () => {
  it('adds the lines of static types, once', () => {
    const added = addStaticRtpmaps(sdp('m=audio 4000 RTP/AVP 8 0 101', 'a=rtpmap:101 telephone-event/8000'));
    expect(added).toContain('m=audio 4000 RTP/AVP 8 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n');
    expect(addStaticRtpmaps(added)).toBe(added);
  });

  it('changes nothing else', () => {
    const dynamic = sdp('m=audio 4000 RTP/AVP 111', 'a=rtpmap:111 opus/48000/2');
    expect(addStaticRtpmaps(dynamic)).toBe(dynamic);
  });
});
