/**
 * The control API under /emulator: people, browsers, ledger, logs, faults, clock, configuration.
 */
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { patchConfig } from '../config.ts';
import { readLedger } from '../ledger/meter.ts';
import type { World } from '../world.ts';
import { viewConversations } from '../voice/conversations.ts';
import { viewSession } from '../video/sessions.ts';
import { longPoll, ControlError, type ControlContext } from './long-poll.ts';
import { addPeopleRoutes } from './people-routes.ts';
import { addVideoControlRoutes } from './video-routes.ts';

const logQuery = z.object({
  after: z.coerce.number().default(0),
  kind: z.string().optional(),
  event: z.string().optional(),
  route: z.string().optional(),
  account: z.string().optional(),
  url: z.string().optional(),
  status: z.coerce.number().optional(),
});

interface LogLine {
  seq: number;
  url: string;
  status?: number;
  kind?: string;
  event?: string;
  route?: string;
  account?: string;
}

function filterLog<T extends LogLine>(log: T[], request: FastifyRequest): T[] {
  const query = logQuery.parse(request.query);
  return log.filter(
    (line) =>
      line.seq > query.after &&
      (query.kind === undefined || line.kind === query.kind) &&
      (query.event === undefined || line.event === query.event) &&
      (query.route === undefined || line.route === query.route) &&
      (query.account === undefined || line.account === query.account) &&
      (query.url === undefined || line.url.includes(query.url)) &&
      (query.status === undefined || line.status === query.status),
  );
}

const legFilter = z.object({
  kind: z.string().optional(),
  sessionId: z.string().optional(),
  callId: z.string().optional(),
  conversation: z.string().optional(),
  account: z.string().optional(),
  accountKey: z.string().optional(),
});

function addObservationRoutes({ app, world }: ControlContext): void {
  app.get('/emulator/ledger', (request) => readLedger(world(), legFilter.parse(request.query)));
  app.get('/emulator/ledger/await', (request) => {
    const { up } = z.looseObject({ up: z.coerce.number().int().nonnegative() }).parse(request.query);
    const filter = legFilter.parse(request.query);
    return longPoll(world(), request, () => {
      const ledger = readLedger(world(), filter);
      return ledger.up === up ? ledger : undefined;
    });
  });
  app.get('/emulator/webhooks', (request) => filterLog(world().webhookLog, request));
  app.get('/emulator/webhooks/await', (request) =>
    longPoll(world(), request, () => filterLog(world().webhookLog, request).find((line) => line.outcome !== 'pending')),
  );
  app.get('/emulator/requests', (request) => filterLog(world().restLog, request));
  app.get('/emulator/requests/await', (request) =>
    longPoll(world(), request, () => filterLog(world().restLog, request)[0]),
  );
  app.get('/emulator/conversations', () => viewConversations(world()));
  app.get('/emulator/conversations/await', (request) => {
    const wanted = z
      .looseObject({ name: z.string(), members: z.coerce.number().int().nonnegative().default(2) })
      .parse(request.query);
    return longPoll(world(), request, () =>
      viewConversations(world()).find((one) => one.name === wanted.name && one.members.length === wanted.members),
    );
  });
  app.get('/emulator/sessions', () => [...world().sessions.values()].map(viewSession));
}

async function advanceClock({ clock, changes }: World, body: unknown): Promise<{ now: number }> {
  const { advanceMs } = z.object({ advanceMs: z.number().nonnegative() }).parse(body ?? {});
  if (clock.mode === 'real')
    throw new ControlError(409, 'The clock is real. Start the emulator with clock "virtual" to advance it.');
  await clock.advance(advanceMs, () => changes.waitUntilIdle());
  return { now: clock.now() };
}

function addSettingsRoutes({ app, world, reset }: ControlContext): void {
  app.get('/emulator/health', () => ({ ok: true, now: world().clock.now() }));
  app.get('/emulator/faults', () => world().faults.current());
  app.put('/emulator/faults', (request) => world().faults.set(request.body ?? {}));
  app.delete('/emulator/faults', () => world().faults.set({}));
  app.get('/emulator/config', () => world().config);
  app.put('/emulator/config', (request) => {
    const current = world();
    current.config = patchConfig(current.config, request.body ?? {});
    return current.config;
  });
  app.get('/emulator/clock', () => ({
    mode: world().clock.mode,
    now: world().clock.now(),
    timers: world().clock.countTimers(),
  }));
  app.post('/emulator/clock', (request) => advanceClock(world(), request.body));
  app.post('/emulator/reset', () => reset().then(() => ({ ok: true })));
}

/** Adds the control API. */
export function addControlRoutes(control: ControlContext): void {
  addObservationRoutes(control);
  addSettingsRoutes(control);
  addPeopleRoutes(control);
  addVideoControlRoutes(control);
}
