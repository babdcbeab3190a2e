import { randomInt } from 'node:crypto';
import getPort from 'get-port';

/**
 * A range below the kernel's ephemeral ports (32768 and up on Linux). The kernel could otherwise
 * use the port for an outgoing connection before the server binds it.
 */
const LOWEST_PORT = 20_000;
const HIGHEST_PORT = 31_999;
const MAX_ATTEMPTS = 50;

/** Returns a free loopback port below 32768. This process never returns the same port twice. */
export async function findFreePort(): Promise<number> {
  // Random candidates, because other processes on this machine search the same range.
  const candidates = Array.from({ length: MAX_ATTEMPTS }, () => randomInt(LOWEST_PORT, HIGHEST_PORT + 1));
  const port = await getPort({ port: candidates, host: '127.0.0.1', reserve: true });
  // Without a free candidate, get-port returns a port of the ephemeral range.
  if (candidates.includes(port)) return port;
  throw new Error(
    `No free port found between ${LOWEST_PORT} and ${HIGHEST_PORT} in ${MAX_ATTEMPTS} attempts. ` +
      'Stop the processes that use them (see `ss -ltn`).',
  );
}
