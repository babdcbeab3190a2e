import { once } from 'node:events';
import { serverMessage, type JoinedState, type ServerReply } from '@partyline/contracts/gateway-socket/messages';
import { createWebrtcPeer } from '@partyline/janus/testing/webrtc-peer';
import { WebSocket } from 'ws';

/** A browser that keeps to the protocol. Its peer connection is in this process. */
export interface HonestBrowser {
  readonly connectionId: string;
  readonly isOpen: boolean;
  /** Whether sound that is no silence has arrived within the last second. */
  hears(): boolean;
  close(): Promise<void>;
}

/** A second of silence in Opus is far smaller, one with a tone or speech is larger. */
const MIN_SOUND_BYTES = 1_500;
const WINDOW_MS = 1_000;
const MARK_MS = 100;

/** Joins a conference by the socket of a gateway, and connects its audio. */
export async function joinHonestly(url: string, token: string): Promise<HonestBrowser> {
  const socket = new WebSocket(url);
  socket.on('error', () => undefined);
  const waiting = new Map<number, (reply: ServerReply) => void>();
  socket.on('message', (data: Buffer) => {
    const message = serverMessage.parse(JSON.parse(data.toString('utf8')));
    if ('re' in message) waiting.get(message.re)?.(message);
  });
  await once(socket, 'open');
  let lastId = 0;
  const request = async (body: object): Promise<ServerReply> => {
    const id = (lastId += 1);
    const reply = await new Promise<ServerReply>((resolve, reject) => {
      waiting.set(id, resolve);
      socket.once('close', (code, reason) =>
        reject(new Error(`The browser was refused: ${code} ${reason.toString()}`)),
      );
      socket.send(JSON.stringify({ id, ...body }));
    });
    if (reply.problem !== undefined) throw new Error(`The browser was refused: ${reply.problem.reason}`);
    return reply;
  };
  const { joined } = (await request({ do: 'join', token, receivesVideo: false })) as { joined: JoinedState };
  const audio = createWebrtcPeer('opus');
  const { answer = '' } = await request({ do: 'connect-audio', offer: (await audio.offer()).sdp });
  await audio.acceptAnswer({ type: 'answer', sdp: answer });
  audio.startSending();
  /** Received bytes at the last times. */
  const marks: { readonly at: number; readonly bytes: number }[] = [];
  const marking = setInterval(() => {
    const now = performance.now();
    marks.push({ at: now, bytes: audio.receivedBytes() });
    while (marks.length > 1 && now - marks[1]!.at >= WINDOW_MS) marks.shift();
  }, MARK_MS);
  return {
    connectionId: joined.connectionId,
    get isOpen() {
      return socket.readyState === socket.OPEN;
    },
    hears() {
      const [first] = marks;
      return first !== undefined && audio.receivedBytes() - first.bytes > MIN_SOUND_BYTES;
    },
    async close() {
      clearInterval(marking);
      await audio.close();
      socket.close();
    },
  };
}
