import { createServer } from 'node:net';
import { randomInt } from 'node:crypto';

/**
 * Below the kernel's ephemeral range (32768 and up on Linux): a port from inside it can be taken as the source port of an outgoing
 * connection between our probe and the server's bind.
 */
const LOWEST = 20_000;
const HIGHEST = 32_000;
const ATTEMPTS = 50;

/** Ports this process has handed out: two servers started side by side must not be given the same one. */
const handedOut = new Set<number>();

/** Tells whether a server could listen on `port` of the loopback address right now. */
function isFree(port: number): Promise<boolean> {
  return new Promise((answer) => {
    const probe = createServer();
    probe.once('error', () => answer(false));
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => probe.close(() => answer(true)));
  });
}

/** A loopback port that is free now, below 32768, and given out once only by this process. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const port = randomInt(LOWEST, HIGHEST);
    if (handedOut.has(port) || !(await isFree(port))) continue;
    handedOut.add(port);
    return port;
  }
  throw new Error(
    `No free port found between ${LOWEST} and ${HIGHEST} in ${ATTEMPTS} tries. Stop what holds them (see \`ss -ltn\`).`,
  );
}
