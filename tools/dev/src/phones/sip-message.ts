import { createHash } from 'node:crypto';

/** One SIP message in the log of a phone. */
export interface SipMessage {
  /** When the phone sent or received it, in ms since the epoch. */
  readonly atMs: number;
  readonly direction: 'sent' | 'received';
  readonly startLine: string;
  /** The method of a request. */
  readonly method?: string;
  /** The status of a response. */
  readonly status?: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
}

const COMPACT_NAMES: Readonly<Record<string, string>> = {
  c: 'content-type',
  e: 'content-encoding',
  f: 'from',
  i: 'call-id',
  k: 'supported',
  l: 'content-length',
  m: 'contact',
  o: 'event',
  r: 'refer-to',
  s: 'subject',
  t: 'to',
  u: 'allow-events',
  v: 'via',
};

/** Parses the text of one message. Returns undefined for text that is no SIP message. */
export function parseSipMessage(
  text: string,
  { atMs, direction }: Pick<SipMessage, 'atMs' | 'direction'>,
): SipMessage | undefined {
  const [head = '', ...rest] = text.replaceAll('\r\n', '\n').split('\n\n');
  const [startLine = '', ...lines] = head.split('\n');
  const status = /^SIP\/2\.0 (\d{3})/.exec(startLine)?.[1];
  const method = /^([A-Z]+) \S+ SIP\/2\.0$/.exec(startLine)?.[1];
  if (status === undefined && method === undefined) return undefined;
  const headers: [string, string][] = [];
  for (const line of lines) {
    const last = headers.at(-1);
    const colon = line.indexOf(':');
    // A line that starts with white space continues the header before it.
    if (/^[ \t]/.test(line) && last) last[1] += ` ${line.trim()}`;
    else if (colon > 0) headers.push([line.slice(0, colon).trim(), line.slice(colon + 1).trim()]);
  }
  return {
    atMs,
    direction,
    startLine,
    ...(method !== undefined && { method }),
    ...(status !== undefined && { status: Number(status) }),
    headers,
    body: rest.join('\n\n'),
  };
}

/** Returns the first value of a header, by its long name in any case. */
export function headerOf(message: SipMessage, name: string): string | undefined {
  return headersOf(message, name)[0];
}

/** Returns all values of a header, e.g. of each Via line, by its long name in any case. */
export function headersOf(message: SipMessage, name: string): string[] {
  const wanted = name.toLowerCase();
  return message.headers
    .filter(([given]) => (COMPACT_NAMES[given.toLowerCase()] ?? given.toLowerCase()) === wanted)
    .map(([, value]) => value);
}

/** Returns the Call-ID of a message. */
export function callIdOf(message: SipMessage): string {
  return headerOf(message, 'call-id') ?? '';
}

/** Returns the requests of one method, in order. Retransmissions are included. */
export function requestsOf(
  messages: readonly SipMessage[],
  method: string,
  direction?: SipMessage['direction'],
): SipMessage[] {
  return messages.filter(
    (message) => message.method === method && (direction === undefined || message.direction === direction),
  );
}

/** Whether a request carries digest credentials (MD5) that were made with this password. */
export function isAuthorized(request: SipMessage, password: string): boolean {
  const header = headerOf(request, 'authorization') ?? headerOf(request, 'proxy-authorization') ?? '';
  const field = (name: string): string => new RegExp(`\\b${name}="?([^",]*)`, 'i').exec(header)?.[1] ?? '';
  const md5 = (...parts: string[]): string => createHash('md5').update(parts.join(':')).digest('hex');
  const secret = md5(field('username'), field('realm'), password);
  const target = md5(request.method ?? '', field('uri'));
  const quality = field('qop') === '' ? [] : [field('nc'), field('cnonce'), field('qop')];
  return field('response') === md5(secret, field('nonce'), ...quality, target);
}

export type CallState = 'trying' | 'up' | 'ended';

/**
 * Derives the state of each call from the messages alone. A call is up from the first 2xx of its
 * INVITE until a BYE, in either direction. It has also ended when its INVITE was finally refused.
 * @returns states by Call-ID, in order of the first INVITE
 */
export function callStates(messages: readonly SipMessage[]): Map<string, CallState> {
  const states = new Map<string, CallState>();
  for (const message of messages) {
    const callId = callIdOf(message);
    const state = states.get(callId);
    if (message.method === 'INVITE' && state === undefined) states.set(callId, 'trying');
    else if (message.method === 'BYE') states.set(callId, 'ended');
    else if (state === 'trying' && isAnswerOfInvite(message)) {
      if (message.status < 300) states.set(callId, 'up');
      // The client repeats its INVITE with credentials.
      else if (message.status !== 401 && message.status !== 407) states.set(callId, 'ended');
    }
  }
  return states;
}

/** Returns the number of calls that are up by the messages alone. */
export function callsUp(messages: readonly SipMessage[]): number {
  return [...callStates(messages).values()].filter((state) => state === 'up').length;
}

function isAnswerOfInvite(message: SipMessage): message is SipMessage & { status: number } {
  return message.status !== undefined && message.status >= 200 && (headerOf(message, 'cseq') ?? '').endsWith('INVITE');
}
