import { createParamDecorator, Inject, Injectable, SetMetadata, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { Operation } from '@partyline/contracts/operation';
import { OPERATIONS } from '@partyline/contracts/operations';
import { VerdictError } from '@partyline/domain/verdict';
import { authenticate } from '@partyline/store/api-keys';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { DEPS, type ApiDeps } from '../deps.ts';

const OPEN = 'open without a key';

/** Marks what may be read without an API key. Everything else needs one, so a new route that forgets to say is closed. */
export const Open = (): MethodDecorator & ClassDecorator => SetMetadata(OPEN, true);

/** The id of the tenant whose key the request came with. */
export const Tenant = createParamDecorator((_: unknown, context: ExecutionContext) => context.switchToHttp().getRequest<{ tenantId: string }>().tenantId);

const HOW = 'Send the header Authorization: Bearer pl_<env>_<id>_<secret>.';

const REFUSALS = {
  'missing-key': ['The request has no API key.', HOW],
  'unknown-key': ['This API key is not known.', `Check that it is whole and was not revoked. ${HOW}`],
  'expired-key': ['This API key has expired.', 'Use a newer key.'],
} as const;

/** Each operation by the route that Fastify knows it as. */
const ROUTES = new Map(OPERATIONS.map((operation) => [`${operation.method.toUpperCase()} ${operation.path.replaceAll(/\{(\w+)\}/g, ':$1')}`, operation]));

/** What a route is, by the API's list of operations; a route that is not on it is nobody's to use. */
function operationOf({ method, routeOptions }: FastifyRequest): Operation {
  const operation = ROUTES.get(`${method === 'HEAD' ? 'GET' : method} ${routeOptions.url ?? ''}`);
  if (operation === undefined) throw new VerdictError('server', 'internal-error', 'This route is not among the API’s operations.');
  return operation;
}

/**
 * Lets a request in by its API key when that may do what the operation needs, and notes whose it is. Throws 401 and 403; a key that does not exist
 * costs the same look-up as one that does.
 */
@Injectable()
export class KeyGuard implements CanActivate {
  constructor(
    @Inject(DEPS) private readonly deps: ApiDeps,
    @Inject(Reflector) private readonly reflector: Reflector,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (this.reflector.getAllAndOverride<boolean | undefined>(OPEN, [context.getHandler(), context.getClass()])) return true;
    const http = context.switchToHttp();
    const request = http.getRequest<FastifyRequest & { tenantId?: string }>();
    const [, key] = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '') ?? [];
    const who = await authenticate(this.deps.store, key ?? '', this.deps.clock.now());
    if ('refused' in who) {
      const reason = key === undefined ? 'missing-key' : who.refused;
      const [message, fix] = REFUSALS[reason];
      void http.getResponse<FastifyReply>().header('www-authenticate', 'Bearer');
      throw new VerdictError('client', reason, message, { fix });
    }
    const { scope } = operationOf(request);
    if (!who.scopes.includes(scope) && (scope === 'operator' || !who.scopes.includes('admin'))) {
      throw new VerdictError('client', 'scope-missing', `This API key may not do this: it needs the scope ${scope}.`, { fix: 'Use a key that has it, or have one made.' });
    }
    request.tenantId = who.tenantId;
    return true;
  }
}
