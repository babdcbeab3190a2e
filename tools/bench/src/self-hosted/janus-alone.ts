import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { Encoder } from '@evan/opus';
import { startJanus } from '@partyline/dev/janus/janus';
import { attachAudioBridge } from '@partyline/janus/audio-bridge/audio-bridge-handle';
import { connectJanus } from '@partyline/janus/connection';
import type { BenchRun } from '../bench.ts';
import { processorSeconds } from '../processor-time.ts';

const REQUEST_TIMEOUT_MS = 10_000;
const PTIME_MS = 20;
const SECRET = 'bench';
const TONE_HZ = 440;
/** The tone of one second, which has whole periods, is repeated. */
const TONE_PACKETS = 50;
/** As the gateway encodes the sound of phones. */
const OPUS = { channels: 1, sample_rate: 8_000, application: 'voip' } as const;
const OPUS_BITRATE = 32_000;
const OPUS_COMPLEXITY = 5;
const OPUS_PAYLOAD_TYPE = 96;
/** RFC 7587: the RTP clock of Opus, for one packet. */
const OPUS_TICKS = (48_000 * PTIME_MS) / 1_000;

/**
 * Measures a Janus that only mixes: participants in rooms like those of the calls, with the same Opus
 * over plain RTP, without SIP, prompts and keys. What it uses is the floor of any bridge on it.
 * @returns seconds of processor time per second and participant
 */
export async function measureJanusAlone(
  { log, processes }: BenchRun,
  { participants, roomSize, seconds }: { participants: number; roomSize: number; seconds: number },
): Promise<number> {
  const janus = processes.add(await startJanus({ log, rtpPorts: 2 * participants + 20 }));
  const connection = await connectJanus({
    url: janus.url,
    apiSecret: janus.apiSecret,
    requestTimeoutMs: REQUEST_TIMEOUT_MS,
    keepAlive: { intervalMs: 5_000, timeoutMs: REQUEST_TIMEOUT_MS },
    onListenerError(error) {
      throw error;
    },
  });
  const control = await attachAudioBridge(connection, 'rooms');
  const sockets: { readonly socket: Socket; readonly port: number; readonly ip: string }[] = [];
  for (let index = 0; index < participants; index += 1) {
    const room = `room-${Math.floor(index / roomSize)}`;
    if (index % roomSize === 0)
      await control.createRoom({
        room,
        adminKey: janus.adminKey,
        secret: SECRET,
        samplingRate: 16_000,
        allowRtpParticipants: true,
      });
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const handle = await attachAudioBridge(connection, `participant-${index}`);
    const { rtp } = await handle.joinByRtp({
      room,
      id: `participant-${index}`,
      codec: 'opus',
      rtp: { ip: '127.0.0.1', port: socket.address().port, payloadType: OPUS_PAYLOAD_TYPE },
    });
    sockets.push({ socket, ...rtp });
  }
  const stopSending = sendTone(sockets);
  try {
    await new Promise((resume) => setTimeout(resume, 1_000));
    const before = processorSeconds(janus.pid);
    const startedAt = performance.now();
    await new Promise((resume) => setTimeout(resume, seconds * 1_000));
    const elapsed = (performance.now() - startedAt) / 1_000;
    return (processorSeconds(janus.pid) - before) / elapsed / participants;
  } finally {
    stopSending();
    for (const { socket } of sockets) socket.close();
    await connection.close();
    await janus.stop();
  }
}

/** Sends a tone in packets of 20 ms from every socket. Returns a function that stops it. */
function sendTone(sockets: readonly { readonly socket: Socket; readonly port: number; readonly ip: string }[]) {
  const payloads = encodeTone();
  const startedAt = performance.now();
  let sent = 0;
  const timer = setInterval(() => {
    for (; sent * PTIME_MS <= performance.now() - startedAt; sent += 1) {
      const header = Buffer.alloc(12);
      header.writeUInt8(0x80, 0);
      header.writeUInt8(OPUS_PAYLOAD_TYPE, 1);
      header.writeUInt16BE(sent & 0xffff, 2);
      header.writeUInt32BE((sent * OPUS_TICKS) >>> 0, 4);
      header.writeUInt32BE(1, 8);
      const packet = Buffer.concat([header, payloads[sent % payloads.length]!]);
      for (const { socket, port, ip } of sockets) socket.send(packet, port, ip);
    }
  }, PTIME_MS / 2);
  return () => clearInterval(timer);
}

function encodeTone(): Uint8Array[] {
  const encoder = new Encoder(OPUS);
  encoder.signal = 'voice';
  encoder.bitrate = OPUS_BITRATE;
  encoder.complexity = OPUS_COMPLEXITY;
  const samples = (OPUS.sample_rate * PTIME_MS) / 1_000;
  return Array.from({ length: TONE_PACKETS }, (_, packet) =>
    encoder
      .encode(
        Int16Array.from({ length: samples }, (_sample, index) =>
          Math.round(3_000 * Math.sin((2 * Math.PI * TONE_HZ * (packet * samples + index)) / OPUS.sample_rate)),
        ),
      )
      .slice(),
  );
}
