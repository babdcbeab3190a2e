import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { startJanus } from '@partyline/dev/janus/janus';
import { renderRtp } from '@partyline/dev/phones/rtp-script';
import { attachAudioBridge } from '@partyline/janus/audio-bridge/audio-bridge-handle';
import { connectJanus } from '@partyline/janus/connection';
import type { BenchRun } from '../bench.ts';
import { processorSeconds } from '../processor-time.ts';

const REQUEST_TIMEOUT_MS = 10_000;
const PTIME_MS = 20;
const TONE_MS = 1_000;
const SECRET = 'bench';

/**
 * Measures a Janus that only mixes: participants in rooms of the same size as the calls, with G.711
 * over plain RTP, without SIP, prompts and keys. What it uses is the floor of any bridge on it.
 * @returns seconds of processor time per second and participant
 */
export async function measureJanusAlone(
  { log, processes }: BenchRun,
  { participants, roomSize, seconds }: { participants: number; roomSize: number; seconds: number },
): Promise<number> {
  const janus = processes.add(await startJanus({ log, rtpPorts: 2 * participants + 20, useOwnServer: true }));
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
        samplingRate: 8_000,
        allowRtpParticipants: true,
      });
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const handle = await attachAudioBridge(connection, `participant-${index}`);
    const { rtp } = await handle.joinByRtp({
      room,
      id: `participant-${index}`,
      codec: 'pcmu',
      rtp: { ip: '127.0.0.1', port: socket.address().port },
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
  const { packets } = renderRtp([{ hz: 440, ms: TONE_MS }], { codec: 'PCMU', ptimeMs: PTIME_MS });
  const startedAt = performance.now();
  let sent = 0;
  const timer = setInterval(() => {
    for (; sent * PTIME_MS <= performance.now() - startedAt; sent += 1) {
      const packet = Buffer.from(packets[sent % packets.length]!.bytes);
      // The tone is repeated, and its numbers go on.
      packet.writeUInt16BE(sent & 0xffff, 2);
      packet.writeUInt32BE((sent * 160) >>> 0, 4);
      for (const { socket, port, ip } of sockets) socket.send(packet, port, ip);
    }
  }, PTIME_MS / 2);
  return () => clearInterval(timer);
}
