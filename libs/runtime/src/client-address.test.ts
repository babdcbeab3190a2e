import type { FastifyRequest } from 'fastify';
import { expect, it } from 'vitest';
import { clientNetworkOf } from './client-address.ts';

const countedAs = (ip: string, remoteAddress = '192.0.2.1'): string =>
  clientNetworkOf({ ip, socket: { remoteAddress } as FastifyRequest['socket'] });

it.each([
  ['192.0.2.7', '192.0.2.7'],
  ['2001:db8:1:2::1', '2001:db8:1:2::/64'],
  ['2001:0DB8:0001:0002:ffff:ffff:ffff:ffff', '2001:db8:1:2::/64'],
  ['2001:db8:1:3::1', '2001:db8:1:3::/64'],
  ['fe80::1%eth0', 'fe80::/64'],
  ['::ffff:192.0.2.7', '192.0.2.7'],
  ['::ffff:c000:207', '192.0.2.7'],
  ['::ffff:0:192.0.2.7', '192.0.2.7'],
  ['64:ff9b::192.0.2.7', '192.0.2.7'],
  ['2002:c000:207:5::9', '192.0.2.7'],
])('counts %s as %s', (ip, network) => expect(countedAs(ip)).toBe(network));

it.each(['unknown', '', '192.0.2.7:4711', '_hidden', 'x'.repeat(10_000)])(
  'counts a forwarded text that is not an address by the socket: %.20s',
  (ip) => expect(countedAs(ip, '2001:db8::5')).toBe('2001:db8::/64'),
);
