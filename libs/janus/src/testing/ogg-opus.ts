/** Returns an Ogg Opus file (RFC 7845) with silence, in frames of 20 ms. */
export function silentOggOpus(seconds: number): Buffer {
  const head = Buffer.from('OpusHead\x01\x01\x00\x00\x80\xbb\x00\x00\x00\x00\x00', 'latin1');
  const tags = Buffer.from('OpusTags\x04\x00\x00\x00test\x00\x00\x00\x00', 'latin1');
  const silence = Buffer.from([0xf8, 0xff, 0xfe]);
  const frames = seconds * 50;
  const pages = Array.from({ length: frames }, (_, n) =>
    oggPage(silence, n + 2, (n + 1) * 960, n === frames - 1 ? LAST_PAGE : 0),
  );
  return Buffer.concat([oggPage(head, 0, 0, FIRST_PAGE), oggPage(tags, 1, 0, 0), ...pages]);
}

const FIRST_PAGE = 2;
const LAST_PAGE = 4;

function oggPage(packet: Buffer, sequence: number, position: number, flags: number): Buffer {
  const page = Buffer.alloc(28 + packet.length);
  page.write('OggS');
  page.writeUInt8(flags, 5);
  page.writeBigUInt64LE(BigInt(position), 6);
  page.writeUInt32LE(1, 14);
  page.writeUInt32LE(sequence, 18);
  page.writeUInt8(1, 26);
  page.writeUInt8(packet.length, 27);
  packet.copy(page, 28);
  page.writeUInt32LE(oggChecksum(page), 22);
  return page;
}

/** CRC-32 with the polynomial 04c11db7, not reflected (RFC 3533, appendix). */
function oggChecksum(bytes: Buffer): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 24;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x8000_0000 ? (crc << 1) ^ 0x04c1_1db7 : crc << 1;
  }
  return crc >>> 0;
}
