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
import { WebSocket } from 'ws';

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
  close(): Promise<void>;
}

/** Joins and connects the audio, which sends silence. */
export async function joinWithAudio(
  url: string,
  token: string,
  options: { name?: string; receivesVideo?: boolean } = {},
): Promise<TestBrowser> {
  const socket = await openSocket(url);
  const { joined } = await socket.request({ do: 'join', token, ...options });
  const audio = createWebrtcPeer('opus');
  await connectPeer(socket, audio, 'audio');
  audio.startSending();
  return {
    socket,
    joined: joined!,
    audio,
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
