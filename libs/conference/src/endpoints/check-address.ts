import { VerdictError } from '@partyline/domain/verdict';
import ipaddr from 'ipaddr.js';

/** Where events may be sent. */
export interface AddressPolicy {
  /** For development: http, any port, and hosts inside the own network too. */
  readonly allowPrivate: boolean;
  readonly ports: readonly number[];
}

const LONGEST = 2_000;
/** Names that lead into somebody's own network wherever they are asked for, and those without a dot. */
const INSIDE =
  /(^|\.)(localhost|local|localdomain|internal|intranet|private|lan|home|corp|arpa|test|invalid|onion|svc|consul)$|^[^.]*$/;
/** Global by its number, and all the same only to be reached from inside: Azure's metadata. */
const INSIDE_NUMBERS = ['168.63.129.16'];
/** The part of IPv6 that is given to the world. Other forms hold an IPv4 address or lead into a network. */
const GLOBAL_V6 = ipaddr.parseCIDR('2000::/3');

/** Whether an IP address, as a resolver or a connection gives it, is somebody's in the open internet. */
export function isPublicAddress(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.parse(address);
  if (parsed.range() !== 'unicast' || INSIDE_NUMBERS.includes(address)) return false;
  return parsed.kind() === 'ipv4' || parsed.match(GLOBAL_V6);
}

const refused = (message: string, fix: string): VerdictError =>
  new VerdictError('client', 'url-rejected', message, { field: '/url', fix });

/**
 * An endpoint's address in its one written form. Throws `url-rejected` for one that is none of the open internet's: looked at after parsing, which makes the
 * same number of `0x7f.1`, `2130706433` and `127.0.0.1`. What a name leads to is looked at again by whoever connects.
 */
export function checkAddress(text: string, { allowPrivate, ports }: AddressPolicy): string {
  const url = text.length <= LONGEST && URL.canParse(text) ? new URL(text) : null;
  if (url === null) throw refused('This is no address.', 'Give a whole URL, such as https://example.com/events.');
  if (url.username !== '' || url.password !== '')
    throw refused('The address holds a user name or a password.', 'Leave them out: what is sent is signed.');
  if (url.protocol !== 'https:' && !(allowPrivate && url.protocol === 'http:'))
    throw refused('The address is not https.', 'Give an address that begins with https://.');
  url.hash = '';
  if (allowPrivate) return url.href;
  const port = Number(url.port === '' ? 443 : url.port);
  if (!ports.includes(port))
    throw refused(`Nothing is sent to port ${port}.`, `Use one of the ports ${ports.join(', ')}.`);
  const host = url.hostname.replace(/\.$/, '');
  const literal = host.startsWith('[') ? host.slice(1, -1) : host;
  const inside = ipaddr.isValid(literal) ? !isPublicAddress(literal) : INSIDE.test(host);
  if (inside)
    throw refused('The address is not one of the open internet.', 'Give a host that can be reached from anywhere.');
  return url.href;
}
