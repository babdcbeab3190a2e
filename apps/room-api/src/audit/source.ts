import { isIP } from 'node:net';
import type { FastifyRequest } from 'fastify';

/** Where a request came from. A trusted proxy's header is believed when it is an address at all: what a client wrote stands in it too. */
export const sourceOf = ({ ip, socket }: Pick<FastifyRequest, 'ip' | 'socket'>): string =>
  isIP(ip) === 0 ? (socket.remoteAddress ?? 'unknown') : ip;
