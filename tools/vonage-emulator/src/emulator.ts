/** Puts an emulator together: for `main.ts`, and for tests that want one in their own process. */
import { randomUUID } from 'node:crypto';
import { configSchema, type EmulatorConfigInput } from './config.ts';
import { createFaultBook } from './faults/book.ts';
import { createServer } from './http/server.ts';
import { createBoard } from './time/board.ts';
import { realClock, virtualClock, wallAfter, wallNow } from './time/clock.ts';
import type { World } from './world.ts';

export interface Emulator {
  url: string;
  close(): Promise<void>;
}

function emptyWorld(config: World['config']): World {
  return {
    config,
    clock: config.clock === 'virtual' ? virtualClock(wallNow()) : realClock(),
    board: createBoard(),
    faults: createFaultBook(config.seed),
    newId: randomUUID,
    legs: new Map(),
    conversations: new Map(),
    sessions: new Map(),
    archives: new Map(),
    callbacks: [],
    people: new Map(),
    phones: new Map(),
    webhookLog: [],
    restLog: [],
    recent: new Map(),
    held: [],
    sequence: 0,
    over: false,
  };
}

const SETTLE_MS = 300;

/** What still runs in a world that is being left behind must not send anything more. */
async function silence(world: World): Promise<void> {
  world.over = true;
  for (const leg of world.legs.values()) {
    leg.endedAt ??= world.clock.now();
    leg.run?.abort();
  }
  world.clock.clear();
  world.held.length = 0;
  // What is on the network now lands before the next world begins; a server that hangs is not waited for.
  await Promise.race([world.board.settled(), new Promise<void>((resolve) => wallAfter(SETTLE_MS, resolve))]);
}

/** Starts an emulator in this process. */
export async function createEmulator(input: EmulatorConfigInput = {}): Promise<Emulator> {
  let world = emptyWorld(configSchema.parse(input));
  const reset = async (): Promise<void> => {
    const left = world;
    world = emptyWorld(left.config);
    await silence(left);
  };
  const app = createServer(() => world, reset);
  const url = await app.listen({ host: '127.0.0.1', port: world.config.port });
  return {
    url,
    async close() {
      await silence(world);
      await app.close();
    },
  };
}
