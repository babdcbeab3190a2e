/** The HTTP server: Vonage routes and control API on one port. */
import { STATUS_CODES } from 'node:http';
import Fastify, { type FastifyInstance } from 'fastify';
import { ZodError } from 'zod';
import { addControlRoutes } from '../control/routes.ts';
import { addVideoRoutes } from '../video/routes.ts';
import { addVoiceRoutes } from '../voice/routes.ts';
import type { World } from '../world.ts';
import { videoError, voiceError, type RestError } from './answer.ts';

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

const isControlPath = (url: string): boolean => url.startsWith('/emulator');

/** An error outside all routes, in the shape of the product to which the path belongs. */
function providerError(url: string, status: number, message: string): RestError {
  const isVideo = /^\/(v2\/(project|partner)|session)\b/.test(url);
  return isVideo ? videoError(status, message) : voiceError(status, STATUS_CODES[status] ?? 'Error', message);
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
  app.setErrorHandler((error: Error & { statusCode?: number }, request, reply) => {
    if (isControlPath(request.url)) {
      if (error instanceof ZodError) return reply.code(400).send({ error: 'Invalid request', issues: error.issues });
      return reply.code(error.statusCode ?? 500).send({ error: error.message, message: error.message });
    }
    const { status, body } = providerError(request.url, error.statusCode ?? 500, error.message);
    return reply.code(status).send(body);
  });
  app.setNotFoundHandler((request, reply) => {
    if (isControlPath(request.url)) return reply.code(404).send({ error: `No such route: ${request.url}` });
    const { status, body } = providerError(request.url, 404, 'Not Found');
    return reply.code(status).send(body);
  });
  addVideoRoutes(app, world);
  addVoiceRoutes(app, world);
  addControlRoutes({ app, world, reset });
  return app;
}
