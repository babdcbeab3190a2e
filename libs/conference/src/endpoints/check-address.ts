import { VerdictError } from '@partyline/domain/verdict';
import { isPublicHost } from '../public-host.ts';

/** The addresses to which events may be sent. */
export interface AddressPolicy {
  /** For development: also permits http, every port, and private hosts. */
  readonly allowPrivate: boolean;
  readonly ports: readonly number[];
}

const MAX_URL_LENGTH = 2_000;
const urlRejected = (message: string, fix: string): VerdictError =>
  new VerdictError('client', 'url-rejected', message, { field: '/url', fix });

/**
 * Returns the canonical form of an endpoint's URL. Throws `url-rejected` (422) for an address that
 * is not public. The check follows the parsing, which turns `0x7f.1` and `2130706433` into
 * `127.0.0.1`. The connection checks again what a name resolves to.
 */
export function checkAddress(text: string, { allowPrivate, ports }: AddressPolicy): string {
  const url = text.length <= MAX_URL_LENGTH && URL.canParse(text) ? new URL(text) : null;
  if (url === null)
    throw urlRejected('The URL is not valid.', 'Give a complete URL, such as https://example.com/events.');
  if (url.username !== '' || url.password !== '')
    throw urlRejected('The URL contains a user name or a password.', 'Leave them out. Deliveries are signed instead.');
  if (url.protocol !== 'https:' && !(allowPrivate && url.protocol === 'http:'))
    throw urlRejected('The URL does not use https.', 'Give a URL that begins with https://.');
  url.hash = '';
  if (allowPrivate) return url.href;
  const port = Number(url.port === '' ? 443 : url.port);
  if (!ports.includes(port))
    throw urlRejected(`Deliveries to port ${port} are not permitted.`, `Use one of the ports ${ports.join(', ')}.`);
  // Resolvers differ in what they do with the trailing dots, so the stored URL has none.
  const host = url.hostname.replace(/\.+$/, '');
  url.hostname = host;
  const literal = host.startsWith('[') ? host.slice(1, -1) : host;
  if (!isPublicHost(literal))
    throw urlRejected('The host is not public.', 'Give a host that can be reached over the internet.');
  return url.href;
}
