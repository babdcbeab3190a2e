import { isIP } from 'node:net';
import type { FastifyRequest } from 'fastify';

/**
 * The IP address of the client. Behind a trusted proxy `ip` comes from a header that can also hold
 * text of the client, so anything but an IP address is ignored.
 */
export const clientAddressOf = ({ ip, socket }: Pick<FastifyRequest, 'ip' | 'socket'>): string =>
  isIP(ip) === 0 ? (socket.remoteAddress ?? 'unknown') : ip;
