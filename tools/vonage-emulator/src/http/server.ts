/** The HTTP server: Vonage routes and control API on one loopback port. */
import Fastify, { type FastifyInstance } from 'fastify';
import { ZodError } from 'zod';
import { addControlRoutes } from '../control/routes.ts';
import { addVideoRoutes } from '../video/routes.ts';
import { addVoiceRoutes } from '../voice/routes.ts';
import type { World } from '../world.ts';

/** The SDKs send empty JSON bodies and content types without a body (contract §2, muteStream). */
function addTolerantParsers(app: FastifyInstance): void {
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

/** Creates the server. It does not listen yet. */
export function createServer(world: () => World, reset: () => Promise<void>): FastifyInstance {
  const app = Fastify({
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 512 },
    bodyLimit: 1_048_576,
    // A request that hangs (a fault) must not delay the exit of the process.
    forceCloseConnections: true,
  });
  addTolerantParsers(app);
  app.setErrorHandler((error: Error & { statusCode?: number }, _request, reply) => {
    if (error instanceof ZodError) return reply.code(400).send({ error: 'Invalid request', issues: error.issues });
    return reply.code(error.statusCode ?? 500).send({ error: error.message, message: error.message });
  });
  addVideoRoutes(app, world);
  addVoiceRoutes(app, world);
  addControlRoutes({ app, world, reset });
  return app;
}
