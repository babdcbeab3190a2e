import ipaddr from 'ipaddr.js';

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

/**
 * Whether a host may be public: a public IP address, or a name that no private network uses. What a
 * name resolves to is checked when it is used.
 * @param host a name without a trailing dot, or an address without brackets
 */
export const isPublicHost = (host: string): boolean =>
  ipaddr.isValid(host)
    ? isPublicAddress(host)
    : host.includes('.') && !host.split('.').includes('') && !PRIVATE_HOST_NAME.test(host);
