import { createHash, randomUUID } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { headerOf, headersOf, parseSipMessage, type SipMessage } from '../../phones/sip-message.ts';

export interface RequestOptions {
  /** The request URI; the server without a user by default. */
  uri?: string;
  from?: string;
  to?: string;
  callId?: string;
  cseq?: string;
  headers?: readonly string[];
  body?: string;
  /** Answers a challenge as the user of From with this password. */
  password?: string;
}

/** The host and port that an endpoint writes into its messages, e.g. those behind NAT. */
export interface Claims {
  /** Without it, a request asks for its response at its source (`rport`). */
  readonly via?: string;
  readonly contact?: string;
}

/** A side of a call: what a test needs to know of it to send requests within it. */
export interface CallSide {
  readonly uri: string;
  readonly from: string;
  readonly to: string;
  readonly callId: string;
  readonly routes: readonly string[];
}

/**
 * A SIP endpoint over UDP that does only what a test says, so that a test can send what no phone
 * sends. It repeats nothing: loopback loses no packets.
 */
export class SipEndpoint {
  readonly messages: SipMessage[] = [];
  readonly #socket: Socket;
  readonly #server: { host: string; port: number };
  readonly #claims: Claims;
  readonly #waiting = new Set<() => void>();
  #cseq = 0;

  private constructor(socket: Socket, server: string, claims: Claims) {
    this.#claims = claims;
    const [host = '', port] = server.split(':');
    this.#server = { host, port: Number(port) };
    this.#socket = socket.on('message', (data) => {
      const message = parseSipMessage(data.toString(), { atMs: Date.now(), direction: 'received' });
      if (!message) return;
      this.messages.push(message);
      for (const check of this.#waiting) check();
    });
  }

  /**
   * Opens an endpoint on a free port of a loopback address, e.g. `127.0.0.2`.
   * @param claims where it says that it is, which is the truth by default
   */
  static async open(server: string, address = '127.0.0.1', claims: Claims = {}): Promise<SipEndpoint> {
    const socket = createSocket('udp4');
    socket.bind(0, address);
    await once(socket, 'listening');
    return new SipEndpoint(socket, server, claims);
  }

  get host(): string {
    const { address, port } = this.#socket.address();
    return `${address}:${port}`;
  }

  get port(): number {
    return this.#socket.address().port;
  }

  close(): void {
    this.#socket.close();
  }

  sendText(text: string): void {
    this.#socket.send(toCrlf(text), this.#server.port, this.#server.host);
  }

  /** Sends a request, and returns its text. */
  send(method: string, options: RequestOptions = {}): string {
    const server = `${this.#server.host}:${this.#server.port}`;
    // An ACK has the number of its INVITE.
    const next = method === 'ACK' ? this.#cseq : this.#cseq + 1;
    this.#cseq = options.cseq === undefined ? next : Number.parseInt(options.cseq, 10);
    const cseq = options.cseq ?? `${next} ${method}`;
    const body = toCrlf(options.body ?? '');
    const text = [
      `${method} ${options.uri ?? `sip:${server}`} SIP/2.0`,
      `Via: SIP/2.0/UDP ${this.#claims.via ?? this.host};branch=z9hG4bK${randomUUID()}${this.#claims.via ? '' : ';rport'}`,
      'Max-Forwards: 70',
      `From: ${options.from ?? `<sip:tester@${this.host}>;tag=${randomUUID()}`}`,
      `To: ${options.to ?? `<sip:anyone@${server}>`}`,
      `Call-ID: ${options.callId ?? randomUUID()}`,
      `CSeq: ${cseq}`,
      `Contact: <sip:tester@${this.#claims.contact ?? this.host}>`,
      ...(options.headers ?? []),
      `Content-Length: ${body.length}`,
      '',
      body,
    ].join('\n');
    this.sendText(text);
    return text;
  }

  /** Sends a request, answers a challenge, and returns its final response. */
  async request(method: string, options: RequestOptions = {}): Promise<SipMessage> {
    const callId = options.callId ?? randomUUID();
    const from = options.from ?? `<sip:tester@${this.host}>;tag=${randomUUID()}`;
    const uri = options.uri ?? `sip:${this.#server.host}:${this.#server.port}`;
    const ask = async (headers: readonly string[]): Promise<SipMessage> => {
      this.send(method, { ...options, callId, from, uri, headers: [...(options.headers ?? []), ...headers] });
      const cseq = `${this.#cseq} ${method}`;
      return this.receive(
        (message) =>
          (message.status ?? 0) >= 200 &&
          headerOf(message, 'call-id') === callId &&
          headerOf(message, 'cseq') === (options.cseq ?? cseq),
      );
    };
    const reply = await ask([]);
    if (options.password === undefined || (reply.status !== 401 && reply.status !== 407)) return reply;
    const user = /sip:([^@]+)@/.exec(from)?.[1] ?? '';
    return ask([answerChallenge(reply, { user, password: options.password, method, uri })]);
  }

  /** Resolves with the first received message that matches. */
  receive(matches: (message: SipMessage) => boolean): Promise<SipMessage> {
    return new Promise((resolve) => {
      const check = (): void => {
        const found = this.messages.find(matches);
        if (!found) return;
        this.#waiting.delete(check);
        resolve(found);
      };
      this.#waiting.add(check);
      check();
    });
  }

  /** Resolves with the first received request of a method. */
  receiveRequest(method: string): Promise<SipMessage> {
    return this.receive((message) => message.method === method);
  }

  /** Answers a request. `tag` becomes the tag of To, if the request has none. */
  reply(
    request: SipMessage,
    status: string,
    { tag = 'callee', headers = [] as readonly string[], body = '' } = {},
  ): void {
    const to = headerOf(request, 'to') ?? '';
    this.sendText(
      [
        `SIP/2.0 ${status}`,
        ...headersOf(request, 'via').map((via) => `Via: ${via}`),
        ...headersOf(request, 'record-route').map((route) => `Record-Route: ${route}`),
        `From: ${headerOf(request, 'from')}`,
        `To: ${to.includes('tag=') ? to : `${to};tag=${tag}`}`,
        `Call-ID: ${headerOf(request, 'call-id')}`,
        `CSeq: ${headerOf(request, 'cseq')}`,
        `Contact: <sip:tester@${this.#claims.contact ?? this.host}>`,
        ...headers,
        `Content-Length: ${toCrlf(body).length}`,
        '',
        body,
      ].join('\n'),
    );
  }

  /** Sends a request within a call, without waiting for its response. */
  sendWithin(
    side: CallSide,
    method: string,
    change: Partial<CallSide> & Pick<RequestOptions, 'headers' | 'body'> = {},
  ): void {
    const { routes, headers = [], ...rest } = { ...side, ...change };
    this.send(method, { ...rest, headers: [...routes.map((route) => `Route: ${route}`), ...headers] });
  }
}

const toCrlf = (text: string): string => text.replaceAll(/\r?\n/g, '\r\n');

/** The side of the caller, from the 2xx of its INVITE. */
export function callerSide(answer: SipMessage): CallSide {
  return describeSide(answer, 'from', 'to', headersOf(answer, 'record-route').toReversed());
}

/** The side of the callee, from the INVITE and the tag of its answer. */
export function calleeSide(invite: SipMessage, tag = 'callee'): CallSide {
  const side = describeSide(invite, 'to', 'from', headersOf(invite, 'record-route'));
  return { ...side, from: `${side.from};tag=${tag}` };
}

function describeSide(message: SipMessage, local: string, remote: string, routes: readonly string[]): CallSide {
  return {
    uri: /<([^>]+)>/.exec(headerOf(message, 'contact') ?? '')?.[1] ?? '',
    from: headerOf(message, local) ?? '',
    to: headerOf(message, remote) ?? '',
    callId: headerOf(message, 'call-id') ?? '',
    routes,
  };
}

function answerChallenge(
  reply: SipMessage,
  { user, password, method, uri }: { user: string; password: string; method: string; uri: string },
): string {
  const challenge = headerOf(reply, 'www-authenticate') ?? headerOf(reply, 'proxy-authenticate') ?? '';
  const field = (name: string): string => new RegExp(`\\b${name}="([^"]*)"`).exec(challenge)?.[1] ?? '';
  const md5 = (...parts: string[]): string => createHash('md5').update(parts.join(':')).digest('hex');
  const [nonce, realm, cnonce] = [field('nonce'), field('realm'), 'c0ffee'];
  const response = md5(md5(user, realm, password), nonce, '00000001', cnonce, 'auth', md5(method, uri));
  const name = reply.status === 401 ? 'Authorization' : 'Proxy-Authorization';
  return (
    `${name}: Digest username="${user}", realm="${realm}", nonce="${nonce}", uri="${uri}", ` +
    `response="${response}", algorithm=MD5, qop=auth, nc=00000001, cnonce="${cnonce}"`
  );
}
