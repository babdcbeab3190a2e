import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { VerdictError } from '@partyline/domain/verdict';
import { MAX_BODY_BYTES } from '@partyline/runtime/service';
import type { FastifyRequest, HTTPMethods } from 'fastify';
import { allowCrossOriginStreams } from '../events/cross-origin.ts';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const satisfies readonly HTTPMethods[];

/**
 * Makes the server answer 415 to a body that is not JSON, and 405 with `Allow` to an unsupported
 * method of a known path. Must be called before the server listens.
 */
export async function enforceStrictHttp(app: NestFastifyApplication): Promise<void> {
  const fastify = app.getHttpAdapter().getInstance();
  allowCrossOriginStreams(fastify);
  const known = new Map<string, Set<string>>();
  fastify.addHook('onRoute', ({ url, method }) => {
    const methods = known.get(url) ?? new Set();
    for (const each of [method].flat()) methods.add(each);
    known.set(url, methods);
  });
  // Many clients send a content type with every POST. Without a body it must not matter.
  fastify.addHook('onRequest', ({ headers }, _reply, done) => {
    if (headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === 0)
      delete headers['content-type'];
    done();
  });
  // A chunked body shows only at its end that it is empty.
  const parseJson = fastify.getDefaultJsonParser('error', 'error');
  app.useBodyParser('application/json', { bodyLimit: MAX_BODY_BYTES }, (request, body: Buffer, done) => {
    if (body.length === 0) done(null, undefined);
    else void parseJson(request as FastifyRequest, body.toString(), done);
  });
  await app.init();

  for (const type of ['text/plain', 'application/x-www-form-urlencoded'])
    if (fastify.hasContentTypeParser(type)) fastify.removeContentTypeParser(type);

  for (const [url, methods] of known) {
    if (url.includes('*')) continue;
    const allow = [...methods].join(', ');
    fastify.route({
      method: METHODS.filter((method) => !methods.has(method)),
      url,
      // Before the body is parsed: the method is the error, whatever the body.
      onRequest: (_request, reply, done) => {
        void reply.header('allow', allow);
        done(
          new VerdictError('client', 'method-not-allowed', 'This path does not support this method.', {
            fix: `Use one of: ${allow}.`,
          }),
        );
      },
      handler: () => undefined,
    });
  }
}
