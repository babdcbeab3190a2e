import { VerdictError } from '@partyline/domain/verdict';
import ipaddr from 'ipaddr.js';

/** The addresses to which events may be sent. */
export interface AddressPolicy {
  /** For development: also permits http, every port, and private hosts. */
  readonly allowPrivate: boolean;
  readonly ports: readonly number[];
}

const MAX_URL_LENGTH = 2_000;
/** Host names that resolve to private networks, and names without a dot. */
const PRIVATE_HOST_NAME =
  /(^|\.)(localhost|local|localdomain|internal|intranet|private|lan|home|corp|arpa|test|invalid|onion|svc|consul)$/;
/** Private addresses in public ranges: the metadata service of Azure. */
const PRIVATE_ADDRESSES = ['168.63.129.16'];
/**
 * The public range of IPv6. Other ranges contain an IPv4 address or belong to a private network.
 */
const IPV6_GLOBAL_UNICAST = ipaddr.parseCIDR('2000::/3');

/** Whether an IP address, as a resolver or a connection reports it, is public. */
export function isPublicAddress(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.parse(address);
  if (parsed.range() !== 'unicast' || PRIVATE_ADDRESSES.includes(address)) return false;
  return parsed.kind() === 'ipv4' || parsed.match(IPV6_GLOBAL_UNICAST);
}

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
  const host = url.hostname.replace(/\.$/, '');
  const literal = host.startsWith('[') ? host.slice(1, -1) : host;
  const isPrivate = ipaddr.isValid(literal)
    ? !isPublicAddress(literal)
    : !host.includes('.') || PRIVATE_HOST_NAME.test(host);
  if (isPrivate) throw urlRejected('The host is not public.', 'Give a host that can be reached over the internet.');
  return url.href;
}
