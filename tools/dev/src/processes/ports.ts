import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import getPort from 'get-port';

/**
 * A range below the kernel's ephemeral ports (32768 and up on Linux). The kernel could otherwise
 * use the port for an outgoing connection before the server binds it.
 */
const LOWEST_PORT = 20_000;
const HIGHEST_PORT = 31_999;
const MAX_ATTEMPTS = 50;

/**
 * Returns a loopback port below 32768 that is free for TCP and UDP. This process never returns the
 * same port twice.
 */
export async function findFreePort(): Promise<number> {
  // Random candidates, because other processes on this machine search the same range.
  const candidates = Array.from({ length: MAX_ATTEMPTS }, () => randomInt(LOWEST_PORT, HIGHEST_PORT + 1));
  for (;;) {
    const port = await getPort({ port: candidates, host: '127.0.0.1', reserve: true });
    // Without a free candidate, get-port returns a port of the ephemeral range.
    if (!candidates.includes(port)) break;
    if (await isFreeForUdp(port)) return port;
  }
  throw new Error(
    `No free port found between ${LOWEST_PORT} and ${HIGHEST_PORT} in ${MAX_ATTEMPTS} attempts. ` +
      'Stop the processes that use them (see `ss -lntu`).',
  );
}

async function isFreeForUdp(port: number): Promise<boolean> {
  const socket = createSocket('udp4');
  try {
    socket.bind({ port, address: '127.0.0.1', exclusive: true });
    await once(socket, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    socket.close();
  }
}

/** UDP ports for media, below the range of findFreePort. */
const LOWEST_MEDIA_PORT = 6_000;
const HIGHEST_MEDIA_PORT = 19_999;
const PORTS_PER_BLOCK = 100;

/** A window of UDP ports that no other reservation on this machine contains. */
export interface PortWindow {
  readonly first: number;
  readonly last: number;
  /** Ends the reservation. It also ends with this process. */
  release(): void;
}

/**
 * Reserves a window of at least `count` consecutive UDP ports for media, in whole blocks. A block
 * is reserved by a TCP listener on its first port, so that all of its UDP ports stay free.
 */
export async function reserveMediaPorts(count: number): Promise<PortWindow> {
  const blocks = Math.ceil(count / PORTS_PER_BLOCK);
  const places = Math.floor((HIGHEST_MEDIA_PORT + 1 - LOWEST_MEDIA_PORT) / PORTS_PER_BLOCK) - blocks + 1;
  // Start at a random block, because other processes on this machine search the same range.
  const offset = randomInt(places);
  for (let step = 0; step < places; step += 1) {
    const first = LOWEST_MEDIA_PORT + ((offset + step) % places) * PORTS_PER_BLOCK;
    const locks = await lockBlocks(first, blocks);
    if (locks)
      return {
        first,
        last: first + blocks * PORTS_PER_BLOCK - 1,
        release: () => locks.forEach((lock) => lock.close()),
      };
  }
  throw new Error(
    `No ${blocks * PORTS_PER_BLOCK} consecutive media ports are free between ${LOWEST_MEDIA_PORT} and ` +
      `${HIGHEST_MEDIA_PORT}. Stop other media servers of Partyline.`,
  );
}

async function lockBlocks(first: number, blocks: number): Promise<readonly Server[] | undefined> {
  const locks: Server[] = [];
  for (let block = 0; block < blocks; block += 1) {
    // `unref`: a reservation does not keep the process running.
    const lock = createServer((socket) => socket.destroy()).unref();
    try {
      lock.listen({ host: '127.0.0.1', port: first + block * PORTS_PER_BLOCK, exclusive: true });
      await once(lock, 'listening');
      locks.push(lock);
    } catch {
      for (const taken of locks) taken.close();
      return undefined;
    }
  }
  return locks;
}
