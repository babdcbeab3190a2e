import { isIP } from 'node:net';
import type { FastifyRequest } from 'fastify';

/** Where a request came from. A proxy's header is believed when it is an address at all: whoever reaches us past the proxy could write anything into it. */
export const sourceOf = ({ ip, socket }: Pick<FastifyRequest, 'ip' | 'socket'>): string => (isIP(ip) === 0 ? (socket.remoteAddress ?? 'unknown') : ip);
