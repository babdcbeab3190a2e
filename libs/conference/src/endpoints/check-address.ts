import { VerdictError } from '@partyline/domain/verdict';
import ipaddr from 'ipaddr.js';

/** The addresses to which events may be sent. */
export interface AddressPolicy {
  /** For development: also permits http, every port, and private hosts. */
  readonly allowPrivate: boolean;
  readonly ports: readonly number[];
}

const MAX_URL_LENGTH = 2_000;
/**
 * Last labels of names in private networks: reserved by RFC 2606, 6761, 6762, 7686, 8375 and 9476
 * and by ICANN, or used by container platforms and routers. None is delegated in the public DNS.
 * The connection checks the resolved address too.
 */
const PRIVATE_HOST_NAME = new RegExp(
  String.raw`(^|\.)(localhost|local|localdomain|internal|intranet|private|lan|home|corp|mail|arpa|test|invalid|alt|onion` +
    '|svc|consul|docker|containers|podman|kubernetes|k8s|cluster|node|pod|nomad|mesos|rancher|weave|swarm|vpn|wlan|dmz' +
    '|workgroup|router|gateway)$',
);
/** Private addresses in public ranges: the metadata service of Azure. */
const PRIVATE_ADDRESSES = ['168.63.129.16'];
/**
 * The parts of 2000::/3 from which IANA has allocated public IPv6 networks. Others contain an IPv4
 * address, are unassigned, or belong to a former network (3ffe::/16).
 */
const IPV6_PUBLIC = ['2001::/16', '2003::/16', '2400::/6', '2800::/5'].map((network) => ipaddr.parseCIDR(network));

/** Whether an IP address, as a resolver or a connection reports it, is public. */
export function isPublicAddress(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.parse(address);
  if (parsed.range() !== 'unicast' || PRIVATE_ADDRESSES.includes(address)) return false;
  return parsed.kind() === 'ipv4' || IPV6_PUBLIC.some((network) => parsed.match(network));
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
  // Resolvers differ in what they do with the trailing dots, so the stored URL has none.
  const host = url.hostname.replace(/\.+$/, '');
  url.hostname = host;
  const literal = host.startsWith('[') ? host.slice(1, -1) : host;
  const isPrivate = ipaddr.isValid(literal)
    ? !isPublicAddress(literal)
    : !host.includes('.') || host.split('.').includes('') || PRIVATE_HOST_NAME.test(host);
  if (isPrivate) throw urlRejected('The host is not public.', 'Give a host that can be reached over the internet.');
  return url.href;
}
