import { once } from 'node:events';
import {
  serverMessage,
  type ClientMessage,
  type JoinedState,
  type PeerName,
  type ServerEvent,
  type ServerMessage,
  type ServerReply,
} from '@partyline/contracts/gateway-socket/messages';
import { createWebrtcPeer, type WebrtcPeer } from '@partyline/janus/testing/webrtc-peer';
import { levelOf, tone } from '@partyline/testing/tones';
import { WebSocket } from 'ws';
import { OpusCodecs } from '../audio/codecs/opus.ts';
import { FRAME_MS } from '../audio/codecs/voice-codec.ts';

type Unnumbered<M> = M extends unknown ? Omit<M, 'id'> : never;
export type Request = Unnumbered<ClientMessage>;

/** A plain WebSocket client of the gateway, for tests. Each message of the gateway must match its schema. */
export interface SocketClient {
  readonly messages: ServerMessage[];
  /** The close code, once the socket has closed. */
  readonly closed: Promise<{ code: number; reason: string }>;
  readonly isOpen: boolean;
  sendText(text: string | Buffer): void;
  /** Sends a request and returns its reply. */
  request(request: Request): Promise<ServerReply>;
  /** Sends a request and returns the reason of its problem. */
  problemOf(request: Request): Promise<string | undefined>;
  events<K extends ServerEvent['event']>(event: K): Extract<ServerEvent, { event: K }>[];
  /** Ends the TCP connection without a closing handshake. */
  cut(): void;
  close(): Promise<void>;
}

/** @param options.answersPings false: the client seems to be dead */
export async function openSocket(url: string, options: { answersPings?: boolean } = {}): Promise<SocketClient> {
  const socket = new WebSocket(url, { autoPong: options.answersPings ?? true });
  const messages: ServerMessage[] = [];
  const waiting = new Map<number, (reply: ServerReply) => void>();
  let lastId = 0;
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() }));
  });
  socket.on('error', () => undefined);
  socket.on('message', (data) => {
    const message = serverMessage.parse(JSON.parse((data as Buffer).toString('utf8')));
    messages.push(message);
    if ('re' in message) waiting.get(message.re)?.(message);
  });
  await once(socket, 'open');
  const request = (body: Request): Promise<ServerReply> => {
    const id = (lastId += 1);
    const reply = new Promise<ServerReply>((resolve, reject) => {
      waiting.set(id, resolve);
      void closed.then(({ code, reason }) => reject(new Error(`closed with ${code} ${reason}`)));
    });
    socket.send(JSON.stringify({ id, ...body }));
    return reply;
  };
  return {
    messages,
    closed,
    get isOpen() {
      return socket.readyState === socket.OPEN;
    },
    sendText: (text) => socket.send(text),
    request,
    problemOf: async (body) => (await request(body)).problem?.reason,
    events: (event) => messages.filter((message) => 'event' in message && message.event === event) as never,
    cut: () => socket.terminate(),
    async close() {
      socket.close();
      await closed;
    },
  };
}

/** A joined client with a WebRTC peer of this process. */
export interface TestBrowser {
  readonly socket: SocketClient;
  readonly joined: JoinedState;
  readonly audio: WebrtcPeer;
  /** Whether it hears a tone at this moment. */
  hears(hz: number): boolean;
  close(): Promise<void>;
}

/** The rate of conferences. */
const RATE = 16_000;
const FRAME = (RATE * FRAME_MS) / 1_000;
/** What a browser has just heard. */
const HEARD_SAMPLES = (RATE * 300) / 1_000;
/** Tones are heard at about -20 dBFS, and everything else is below -60. */
const [TONE_DBFS, HEARD_DBFS] = [-20, -40];

/**
 * Joins and connects the audio.
 * @param options.hz the tone that it sends; silence by default
 */
export async function joinWithAudio(
  url: string,
  token: string,
  { hz, ...options }: { name?: string; receivesVideo?: boolean; hz?: number } = {},
): Promise<TestBrowser> {
  const socket = await openSocket(url);
  const { joined } = await socket.request({ do: 'join', token, ...options });
  const codec = new OpusCodecs().open(RATE);
  let heard = new Int16Array();
  const audio = createWebrtcPeer('opus', (payload) => {
    const pcm = codec.decode(payload) ?? [];
    heard = Int16Array.of(...heard, ...pcm).slice(-HEARD_SAMPLES);
  });
  await connectPeer(socket, audio, 'audio');
  const voice = hz === undefined ? undefined : tone(hz, 1, RATE, TONE_DBFS);
  let position = 0;
  audio.startSending(
    voice &&
      (() => {
        const frame = voice.subarray(position, position + FRAME);
        position = (position + FRAME) % voice.length;
        return codec.encode(frame);
      }),
  );
  return {
    socket,
    joined: joined!,
    audio,
    hears: (wanted) => heard.length === HEARD_SAMPLES && levelOf(heard, wanted, RATE) > HEARD_DBFS,
    async close() {
      await audio.close();
      await socket.close();
    },
  };
}

/** Connects a sending peer. Its offer has its candidates. */
export async function connectPeer(
  socket: SocketClient,
  peer: WebrtcPeer,
  name: Exclude<PeerName, 'subscription'>,
): Promise<void> {
  const offer = (await peer.offer()).sdp;
  const { answer, problem } = await socket.request(
    name === 'audio' ? { do: 'connect-audio', offer } : { do: 'publish', source: name, offer },
  );
  if (answer === undefined) throw new Error(`no answer: ${problem?.reason}`);
  await peer.acceptAnswer({ type: 'answer', sdp: answer });
}
