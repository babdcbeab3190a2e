/** The one HTTP server: vendor routes and control API on one loopback port. */
import Fastify, { type FastifyInstance } from 'fastify';
import { ZodError } from 'zod';
import { addControlRoutes } from '../control/routes.ts';
import { addVideoRoutes } from '../video/routes.ts';
import { addVoiceRoutes } from '../voice/routes.ts';
import type { World } from '../world.ts';

/** The SDKs send empty JSON bodies and content types without a body (contract §2, muteStream). */
function tolerantParsers(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) =>
    done(null, Object.fromEntries(new URLSearchParams(body as string))),
  );
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => {
    const text = body as string;
    if (text.trim() === '') return done(null, undefined);
    try {
      return done(null, JSON.parse(text));
    } catch {
      return done(Object.assign(new Error('Unable to parse the request body'), { statusCode: 400 }));
    }
  });
}

/** Builds the server; it does not listen yet. */
export function createServer(world: () => World, reset: () => Promise<void>): FastifyInstance {
  const app = Fastify({
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 512 },
    bodyLimit: 1_048_576,
    // A hanging request (a fault) must not hold up the end of the process.
    forceCloseConnections: true,
  });
  tolerantParsers(app);
  app.setErrorHandler((error: Error & { statusCode?: number }, _request, reply) => {
    if (error instanceof ZodError) return reply.code(400).send({ error: 'not understood', issues: error.issues });
    return reply.code(error.statusCode ?? 500).send({ error: error.message, message: error.message });
  });
  addVideoRoutes(app, world);
  addVoiceRoutes(app, world);
  addControlRoutes({ app, world, reset });
  return app;
}
