/** Composes an emulator, for `main.ts` and for tests that run it in their own process. */
import { randomUUID } from 'node:crypto';
import { configSchema, type EmulatorConfigInput } from './config.ts';
import { createFaultInjector } from './faults/injector.ts';
import { createServer } from './http/server.ts';
import { createChangeNotifier } from './time/change-notifier.ts';
import { createRealClock, createVirtualClock, startWallTimer, wallNow } from './time/clock.ts';
import type { World } from './world.ts';

export interface Emulator {
  url: string;
  close(): Promise<void>;
}

/** Creates a world without calls. Its `baseUrl` is empty until a server listens. */
export function createWorld(config: World['config']): World {
  return {
    config,
    baseUrl: '',
    recordings: new Map(),
    clock: config.clock === 'virtual' ? createVirtualClock(wallNow()) : createRealClock(),
    changes: createChangeNotifier(),
    faults: createFaultInjector(config.seed),
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
    recentRequests: new Map(),
    delayedWebhooks: [],
    sequence: 0,
    isClosed: false,
  };
}

const MAX_SETTLE_MS = 300;

/** Stops all activity of a world, so that it sends no more webhooks. */
async function closeWorld(world: World): Promise<void> {
  world.isClosed = true;
  for (const leg of world.legs.values()) {
    leg.endedAt ??= world.clock.now();
    leg.nccoController?.abort();
  }
  world.clock.clearTimers();
  world.delayedWebhooks.length = 0;
  // Requests in flight finish before the next world starts. A server that hangs is not waited for.
  await Promise.race([
    world.changes.waitUntilIdle(),
    new Promise<void>((resolve) => startWallTimer(MAX_SETTLE_MS, resolve)),
  ]);
}

/** Starts an emulator in this process. Throws when the configuration is invalid. */
export async function createEmulator(input: EmulatorConfigInput = {}): Promise<Emulator> {
  let world = createWorld(configSchema.parse(input));
  const reset = async (): Promise<void> => {
    const previous = world;
    world = createWorld(previous.config);
    world.baseUrl = previous.baseUrl;
    await closeWorld(previous);
  };
  const app = createServer(() => world, reset);
  const url = await app.listen({ host: world.config.host, port: world.config.port });
  world.baseUrl = url;
  return {
    url,
    async close() {
      await closeWorld(world);
      await app.close();
    },
  };
}
