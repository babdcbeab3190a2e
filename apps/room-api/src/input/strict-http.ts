import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { VerdictError } from '@partyline/domain/verdict';
import type { HTTPMethods } from 'fastify';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const satisfies readonly HTTPMethods[];

/**
 * Makes the server say what is wrong where it would be vague: a body that is not JSON is 415, and a known address with a method that it does
 * not take is 405 with `Allow`. To be called before listening.
 */
export async function strictHttp(app: NestFastifyApplication): Promise<void> {
  const fastify = app.getHttpAdapter().getInstance();
  const known = new Map<string, Set<string>>();
  fastify.addHook('onRoute', ({ url, method }) => {
    const methods = known.get(url) ?? new Set();
    for (const each of [method].flat()) methods.add(each);
    known.set(url, methods);
  });
  // An empty body is no body, whatever type it claims: many clients send the type with every POST.
  fastify.addHook('onRequest', (request, _reply, done) => {
    if (request.headers['content-length'] === '0') delete request.headers['content-type'];
    done();
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
      // Before the body is read: whatever is in it, the method is what is wrong.
      onRequest: (_request, reply, done) => {
        void reply.header('allow', allow);
        done(
          new VerdictError('client', 'method-not-allowed', 'This address does not take this method.', {
            fix: `It takes ${allow}.`,
          }),
        );
      },
      handler: () => undefined,
    });
  }
}
