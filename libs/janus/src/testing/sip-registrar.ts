import { createHash } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';

/** A SIP registrar and stateless proxy on loopback (RFC 3261, sections 10.3 and 16.11), for tests only. */
export interface SipRegistrar {
  readonly port: number;
  /** SIP URI of a user at this registrar. */
  uri(user: string): string;
  /** Methods of the requests that arrived, in order, e.g. `INVITE bob`. */
  readonly requests: string[];
  close(): void;
}

const REALM = 'test';
const NONCE = 'c0ffee';
const md5 = (text: string): string => createHash('md5').update(text).digest('hex');

/** The HA1 of digest authentication for a user of this registrar. */
export const digestHa1 = (user: string, password: string): string => md5(`${user}:${REALM}:${password}`);

/** Starts a registrar. Users with a password must authenticate; all others may register without. */
export async function startSipRegistrar(passwords: Readonly<Record<string, string>> = {}): Promise<SipRegistrar> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  const contacts = new Map<string, string>();
  const requests: string[] = [];

  const reply = (to: number, request: Message, status: string, headers: string[] = []): void => {
    const kept = request.lines.filter((line) => /^(?:via|from|to|call-id|cseq):/iu.test(line));
    const tagged = kept.map((line) => (/^to:/iu.test(line) && !line.includes('tag=') ? `${line};tag=registrar` : line));
    socket.send([`SIP/2.0 ${status}`, ...tagged, ...headers, 'Content-Length: 0', '', ''].join('\r\n'), to);
  };
  const register = (from: number, request: Message, user: string): void => {
    const password = passwords[user];
    if (password !== undefined && !isAuthorized(request, user, password)) {
      const challenge = `WWW-Authenticate: Digest realm="${REALM}", nonce="${NONCE}", algorithm=MD5`;
      reply(from, request, '401 Unauthorized', [challenge]);
      return;
    }
    const contact = header(request, 'contact');
    const uri = /<([^>]+)>/u.exec(contact)?.[1];
    const expires = /expires=(\d+)/iu.exec(contact)?.[1] ?? (header(request, 'expires') || '60');
    if (uri !== undefined && expires !== '0') contacts.set(user, uri);
    else contacts.delete(user);
    reply(from, request, '200 OK', expires === '0' ? [] : [`Contact: <${uri}>;expires=${expires}`]);
  };

  socket.on('message', (data, sender) => {
    const message = parse(data.toString('latin1'));
    if (message.first.startsWith('SIP/2.0')) {
      // A response goes back to the hop below our own Via.
      const vias = message.lines.filter((line) => /^via:/iu.test(line));
      const target = /rport=(\d+)/u.exec(vias[1] ?? '')?.[1] ?? /:(\d+)/u.exec(vias[1]?.slice(4) ?? '')?.[1];
      const lines = message.lines.filter((line) => line !== vias[0]);
      if (target !== undefined) socket.send(format({ ...message, lines }), Number(target));
      return;
    }
    const [method = '', target = ''] = message.first.split(' ');
    const user = /sips?:([^@;>]+)@/u.exec(method === 'REGISTER' ? header(message, 'to') : target)?.[1] ?? '';
    requests.push(`${method} ${user}`);
    if (method === 'REGISTER') return register(sender.port, message, user);
    const contact = contacts.get(user);
    if (contact === undefined) {
      if (method !== 'ACK') reply(sender.port, message, '404 Not Found');
      return;
    }
    const via = message.lines.findIndex((line) => /^via:/iu.test(line));
    const lines = [...message.lines];
    lines[via] = (lines[via] ?? '').replace(/;rport(?!=)/u, `;rport=${sender.port};received=127.0.0.1`);
    // A stateless proxy gives an INVITE, its CANCEL and its ACK the same branch.
    const branch = md5(/branch=([^;]+)/u.exec(lines[via])?.[1] ?? '');
    lines.unshift(`Via: SIP/2.0/UDP 127.0.0.1:${port};branch=z9hG4bK${branch}`);
    const hop = Number(/:(\d+)/u.exec(contact.replace(/^.*@/u, ''))?.[1] ?? 5060);
    socket.send(format({ ...message, first: `${method} ${contact} SIP/2.0`, lines }), hop);
  });

  return { port, uri: (user) => `sip:${user}@127.0.0.1:${port}`, requests, close: () => socket.close() };
}

interface Message {
  readonly first: string;
  readonly lines: readonly string[];
  readonly body: string;
}

function parse(text: string): Message {
  const end = text.indexOf('\r\n\r\n');
  const [first = '', ...lines] = text.slice(0, end).split('\r\n');
  return { first, lines, body: text.slice(end + 4) };
}

const format = ({ first, lines, body }: Message): Buffer =>
  Buffer.from([first, ...lines, '', body].join('\r\n'), 'latin1');

function header({ lines }: Message, name: string): string {
  const line = lines.find((each) => each.toLowerCase().startsWith(`${name}:`));
  return line?.slice(name.length + 1).trim() ?? '';
}

function isAuthorized(request: Message, user: string, password: string): boolean {
  const fields = header(request, 'authorization');
  const field = (name: string): string => new RegExp(`\\b${name}="([^"]*)"`, 'u').exec(fields)?.[1] ?? '';
  const expected = md5(`${digestHa1(user, password)}:${NONCE}:${md5(`REGISTER:${field('uri')}`)}`);
  return field('response') === expected;
}
