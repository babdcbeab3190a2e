import { randomUUID } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';

/** Where a datagram comes from: `host` is `address:port`. */
export interface Source {
  readonly address: string;
  readonly host: string;
}

/** One datagram to a SIP server, and when its answers are wrong. */
export interface Datagram {
  readonly what: string;
  /** Makes the bytes, for the address that they are sent from. */
  readonly write: (source: Source) => string | Buffer;
  /** The source address; by default one that the server does not know, and does not limit yet. */
  readonly from?: string;
  /** The fault in the answers; null: there is none. */
  readonly findFault: (answers: readonly Answer[], sentBytes: number) => string | null;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly bytes: number;
}

export interface SipSources {
  /** Sends datagrams, waits until the server has read them, and returns the fault of each. */
  send(datagrams: readonly Datagram[]): Promise<{ what: string; fault: string | null }[]>;
  /** Sends datagrams from one socket as fast as the server may read them, without their answers. */
  flood(datagrams: readonly Datagram[], perSecond: number): Promise<void>;
}

/** What may wait in the server's socket. */
const BATCH = 60;
const MAX_WAITING_BYTES = 100_000;
/** Fewer than a server of ours accepts of an unknown address (KAMAILIO_FLOOD_REQUESTS). */
const DATAGRAMS_PER_ADDRESS = 15;
const SETTLE_MS = 40;
const CONTROL_TIMEOUT_MS = 2_000;
const CONTROL_ATTEMPTS = 3;
/** The server ignores no address that it knows. */
const KNOWN_ADDRESS = '127.0.0.1';
/** Fewer than a socket can hold in the time of one turn of the event loop. */
const FLOOD_STEP_MS = 10;

/** Sends datagrams from loopback addresses, each from a socket of its own. */
export function openSipSources(server: string): SipSources {
  const { hostname, port } = new URL(`sip://${server}`);
  let used = 0;
  /** An address of 127.64.0.0/10, for a few datagrams. */
  const nextAddress = (): string => {
    const number = Math.floor((used += 1) / DATAGRAMS_PER_ADDRESS);
    return `127.${64 + (number >> 14)}.${(number >> 7) & 127}.${1 + (number & 127)}`;
  };
  const open = async (address: string): Promise<Socket> => {
    const socket = createSocket('udp4');
    socket.on('error', () => undefined);
    socket.bind(0, address);
    await once(socket, 'listening');
    return socket;
  };
  const sourceOf = (socket: Socket): Source => {
    const { address, port: own } = socket.address();
    return { address, host: `${address}:${own}` };
  };
  const transmit = (socket: Socket, bytes: Buffer): Promise<void> =>
    new Promise((resolve) => socket.send(bytes, Number(port), hostname, () => resolve()));

  /** Waits until the server answers a request that comes after the others. */
  async function awaitControl(): Promise<void> {
    const socket = await open(KNOWN_ADDRESS);
    try {
      for (let attempt = 1; ; attempt += 1) {
        const answered = new Promise<boolean>((resolve) => {
          socket.once('message', () => resolve(true));
          setTimeout(() => resolve(false), CONTROL_TIMEOUT_MS);
        });
        await transmit(socket, toBytes(writeRequest(sourceOf(socket), { method: 'OPTIONS', uri: `sip:${server}` })));
        if (await answered) return;
        if (attempt === CONTROL_ATTEMPTS) throw new Error('The SIP server no longer answers.');
      }
    } finally {
      socket.close();
    }
  }

  async function sendBatch(batch: readonly Datagram[]): Promise<{ what: string; fault: string | null }[]> {
    const sent: { datagram: Datagram; socket: Socket; answers: Answer[]; bytes: Buffer }[] = [];
    let waiting = 0;
    for (const datagram of batch) {
      const socket = await open(datagram.from ?? nextAddress());
      const answers: Answer[] = [];
      socket.on('message', (data) => answers.push(readAnswer(data)));
      const bytes = toBytes(datagram.write(sourceOf(socket)));
      waiting += bytes.length;
      if (waiting > MAX_WAITING_BYTES) {
        await awaitControl();
        waiting = bytes.length;
      }
      await transmit(socket, bytes);
      sent.push({ datagram, socket, answers, bytes });
    }
    await awaitControl();
    await new Promise((resume) => setTimeout(resume, SETTLE_MS));
    return sent.map(({ datagram: { what, findFault }, socket, answers, bytes }) => {
      socket.close();
      return { what, fault: findFault(answers, bytes.length) };
    });
  }

  return {
    async send(datagrams) {
      const results: { what: string; fault: string | null }[] = [];
      for (let at = 0; at < datagrams.length; at += BATCH)
        results.push(...(await sendBatch(datagrams.slice(at, at + BATCH))));
      return results;
    },
    async flood(datagrams, perSecond) {
      const sockets = new Map<string, Socket>();
      const started = performance.now();
      for (const [count, datagram] of datagrams.entries()) {
        const address = datagram.from ?? nextAddress();
        const socket = sockets.get(address) ?? (await open(address));
        sockets.set(address, socket);
        await transmit(socket, toBytes(datagram.write(sourceOf(socket))));
        while (count > ((performance.now() - started) / 1_000) * perSecond)
          await new Promise((resume) => setTimeout(resume, FLOOD_STEP_MS));
      }
      for (const socket of sockets.values()) socket.close();
    },
  };
}

const toBytes = (data: string | Buffer): Buffer => (typeof data === 'string' ? Buffer.from(data) : data);

function readAnswer(data: Buffer): Answer {
  const text = data.toString('latin1');
  return { status: Number(/^(?:SIP|HTTP)\/\S+ (\d{3})/i.exec(text)?.[1] ?? 0), text, bytes: data.length };
}

export interface RequestParts {
  readonly method: string;
  readonly uri: string;
  readonly from?: string;
  readonly to?: string;
  readonly callId?: string;
  readonly cseq?: string;
  /** The first Via; the source by default. */
  readonly via?: string;
  readonly contact?: string;
  readonly headers?: readonly string[];
  readonly body?: string;
}

/** Writes a SIP request, well formed unless a part is not. */
export function writeRequest(source: Source, parts: RequestParts): string {
  const { method, uri, body = '' } = parts;
  return [
    `${method} ${uri} SIP/2.0`,
    `Via: ${parts.via ?? `SIP/2.0/UDP ${source.host};branch=z9hG4bK${randomUUID()};rport`}`,
    'Max-Forwards: 70',
    `From: ${parts.from ?? `<sip:anyone@${source.host}>;tag=${randomUUID()}`}`,
    `To: ${parts.to ?? `<${uri}>`}`,
    `Call-ID: ${parts.callId ?? randomUUID()}`,
    `CSeq: ${parts.cseq ?? `1 ${method}`}`,
    `Contact: ${parts.contact ?? `<sip:anyone@${source.host}>`}`,
    ...(parts.headers ?? []),
    `Content-Length: ${Buffer.byteLength(body)}`,
    '',
    body,
  ].join('\r\n');
}
