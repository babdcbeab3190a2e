import type { RtpPacket } from './rtp-script.ts';

const MAGIC = 0xa1b2c3d4;
const ETHERNET = 1;
const ETHERTYPE_IPV4 = 0x0800;
const UDP = 17;
const HEADERS_BYTES = 14 + 20 + 8;
/** SIPp replaces it. */
const PORT = 4000;
/** SIPp takes a packet at time zero for "no packet yet". */
const START_MS = 1000;

/** Returns a capture file with one packet of UDP for each packet of RTP, as SIPp plays it. */
export function encodePcap(packets: readonly RtpPacket[]): Buffer {
  const file = Buffer.alloc(24);
  file.writeUInt32LE(MAGIC, 0);
  file.writeUInt16LE(2, 4);
  file.writeUInt16LE(4, 6);
  file.writeUInt32LE(0xffff, 16);
  file.writeUInt32LE(ETHERNET, 20);
  return Buffer.concat([file, ...packets.flatMap((packet) => [recordHeader(packet), headers(packet), packet.bytes])]);
}

function recordHeader({ atMs, bytes }: RtpPacket): Buffer {
  const header = Buffer.alloc(16);
  const microseconds = Math.round((START_MS + atMs) * 1000);
  header.writeUInt32LE(Math.floor(microseconds / 1_000_000), 0);
  header.writeUInt32LE(microseconds % 1_000_000, 4);
  header.writeUInt32LE(HEADERS_BYTES + bytes.length, 8);
  header.writeUInt32LE(HEADERS_BYTES + bytes.length, 12);
  return header;
}

/** The headers of Ethernet, IP and UDP. SIPp reads only their types, lengths and ports. */
function headers({ bytes }: RtpPacket): Buffer {
  const header = Buffer.alloc(HEADERS_BYTES);
  header.writeUInt16BE(ETHERTYPE_IPV4, 12);
  header[14] = 0x45;
  header.writeUInt16BE(20 + 8 + bytes.length, 16);
  header[22] = 64;
  header[23] = UDP;
  header.writeUInt32BE(0x7f000001, 26);
  header.writeUInt32BE(0x7f000001, 30);
  header.writeUInt16BE(PORT, 34);
  header.writeUInt16BE(PORT, 36);
  header.writeUInt16BE(8 + bytes.length, 38);
  return header;
}
