import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseRtp, RtpStream } from './rtp.ts';

it('reads back every packet that a stream makes', () => {
  fc.assert(
    fc.property(
      fc.record({
        ssrc: fc.nat(0xffff_ffff),
        sequenceNumber: fc.nat(0xffff),
        timestamp: fc.nat(0xffff_ffff),
        payloadType: fc.nat(127),
      }),
      fc.uint8Array({ maxLength: 400 }),
      fc.boolean(),
      (start, payload, marker) => {
        const packet = new RtpStream(start).packet(Buffer.from(payload), { marker });
        const parsed = parseRtp(packet.serialize());
        expect(parsed?.header).toMatchObject({ ...start, marker, version: 2, padding: false });
        expect(parsed?.payload).toEqual(Buffer.from(payload));
      },
    ),
  );
});

it('numbers packets in order, over the end of the numbers', () => {
  const stream = new RtpStream({ ssrc: 7, sequenceNumber: 0xfffe, timestamp: 0xffff_ff00, payloadType: 0 });
  const sent = [0, 1, 2].map(() => {
    const { header } = stream.packet(Buffer.alloc(160));
    stream.advance(160);
    return [header.sequenceNumber, header.timestamp];
  });
  expect(sent).toEqual([
    [0xfffe, 0xffff_ff00],
    [0xffff, 0xffff_ffa0],
    [0, 0x40],
  ]);
});

it('sends another payload type at an earlier timestamp with the same sequence numbers', () => {
  const stream = new RtpStream({ ssrc: 7, sequenceNumber: 1, timestamp: 1_000, payloadType: 0 });
  stream.packet(Buffer.alloc(160));
  stream.advance(160);
  const { header } = stream.packet(Buffer.alloc(4), { payloadType: 101, timestamp: 1_000 });
  expect(header).toMatchObject({ sequenceNumber: 2, timestamp: 1_000, payloadType: 101 });
});

it('never throws, and accepts only version 2', () => {
  // Random bytes rarely look like RTP: half of the datagrams have a valid first byte.
  const first = fc.oneof(fc.nat(255), fc.integer({ min: 0x80, max: 0xbf }));
  fc.assert(
    fc.property(first, fc.uint8Array({ maxLength: 80 }), (flags, bytes) => {
      const packet = parseRtp(Buffer.from([flags, ...bytes]));
      expect(packet?.header.version ?? 2).toBe(2);
      expect(packet?.payload.length ?? 0).toBeLessThanOrEqual(Math.max(0, bytes.length + 1 - 12));
    }),
    { numRuns: 10_000 },
  );
});

it.each([
  ['an empty datagram', Buffer.alloc(0)],
  ['a short datagram', Buffer.alloc(11, 0x80)],
  ['a STUN request', Buffer.from('000100002112a442000000000000000000000000', 'hex')],
])('ignores %s', (_what, datagram) => expect(parseRtp(datagram)).toBeNull());

it('removes the padding', () => {
  const datagram = Buffer.from([0xa0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0xaa, 0xbb, 0, 2]);
  expect(parseRtp(datagram)?.payload).toEqual(Buffer.from([0xaa, 0xbb]));
});
