import { OPERATIONS } from '@partyline/contracts/operations';
import type { FastifyInstance } from 'fastify';

/** The paths that pages of other origins may read: those that accept a stream token. */
const PATHS: ReadonlySet<string> = new Set(
  OPERATIONS.filter(({ streamToken }) => streamToken === true).map(({ path }) => path),
);

/**
 * Lets pages of any origin read the event stream. No cookie authenticates a request, so an origin
 * proves nothing; the stream token does. Must be called before routes are counted.
 */
export function allowCrossOriginStreams(fastify: FastifyInstance): void {
  fastify.addHook('onRequest', (request, reply, done) => {
    if (PATHS.has(request.routeOptions.url ?? ''))
      void reply.headers({
        'access-control-allow-origin': '*',
        'access-control-expose-headers': 'retry-after, x-request-id',
      });
    done();
  });
  for (const path of PATHS)
    fastify.options(path, (_request, reply) =>
      reply
        .code(204)
        .headers({
          'access-control-allow-methods': 'GET',
          'access-control-allow-headers': 'authorization, accept, last-event-id',
          'access-control-max-age': '600',
        })
        .send(),
    );
}
