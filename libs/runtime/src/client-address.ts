import { isIP } from 'node:net';
import type { FastifyRequest } from 'fastify';
import ipaddr from 'ipaddr.js';

/**
 * The IP address of the client. Behind a trusted proxy `ip` comes from a header that can also hold
 * text of the client, so anything but an IP address is ignored.
 */
export const clientAddressOf = ({ ip, socket }: Pick<FastifyRequest, 'ip' | 'socket'>): string =>
  isIP(ip) === 0 ? (socket.remoteAddress ?? 'unknown') : ip;

/** One customer of an internet provider has at least this network and can use any address in it. */
const IPV6_CUSTOMER_BITS = 64;
const IPV6_CUSTOMER_BYTES = IPV6_CUSTOMER_BITS / 8;

/** The network by which the requests of a client are counted. */
export const clientNetworkOf = (request: Pick<FastifyRequest, 'ip' | 'socket'>): string =>
  networkOf(clientAddressOf(request));

/**
 * The network by which an address is counted: an IPv4 address, or the /64 of an IPv6 address. An
 * IPv6 form of an IPv4 address (mapped, translated, 6to4) counts as the IPv4 address.
 */
export function networkOf(text: string): string {
  if (!ipaddr.isValid(text)) return text;
  const address = ipaddr.parse(text);
  if (address.kind() === 'ipv4') return address.toString();
  const bytes = address.toByteArray();
  const embedded = embeddedIpv4(address.range(), bytes);
  if (embedded !== null) return embedded.join('.');
  const network = ipaddr.fromByteArray(bytes.map((byte, at) => (at < IPV6_CUSTOMER_BYTES ? byte : 0)));
  return `${network.toString()}/${IPV6_CUSTOMER_BITS}`;
}

/** The IPv4 address in an IPv6 address: the last 32 bits, and for 6to4 those after the prefix. */
function embeddedIpv4(range: string, bytes: readonly number[]): readonly number[] | null {
  switch (range) {
    case 'ipv4Mapped':
    case 'rfc6145':
    case 'rfc6052':
      return bytes.slice(12);
    case '6to4':
      return bytes.slice(2, 6);
    default:
      return null;
  }
}
