import { createParamDecorator, Inject, Injectable, SetMetadata, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { Operation } from '@partyline/contracts/operation';
import { VerdictError } from '@partyline/domain/verdict';
import { authenticate } from '@partyline/store/api-keys';
import type { FastifyReply } from 'fastify';
import { DEPS, type ApiDeps } from '../deps.ts';
import type { Caller, KnownRequest } from './caller.ts';
import { operationOf } from './operation-of.ts';
import { findOperator, isOperatorKey } from './operator-key.ts';

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

/**
 * Lets a request in by its API key, or an operator's, when that may do what the operation needs, and notes whose it is. Throws 401 and 403. A key
 * that does not exist costs the same look-up as one that does, and an operator's key that does not exist the same comparisons.
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
    const request = http.getRequest<KnownRequest>();
    const [, key] = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '') ?? [];
    const who = await this.#find(key ?? '');
    if ('refused' in who) {
      const reason = key === undefined ? 'missing-key' : who.refused;
      const [message, fix] = REFUSALS[reason];
      void http.getResponse<FastifyReply>().header('www-authenticate', 'Bearer');
      throw new VerdictError('client', reason, message, { fix });
    }
    assertMay(who, operationOf(request));
    request.caller = who;
    if (who.kind === 'key') request.tenantId = who.tenantId;
    return true;
  }

  async #find(key: string): Promise<(Caller & { suspended: boolean }) | { refused: 'unknown-key' | 'expired-key' }> {
    if (isOperatorKey(key)) {
      const id = findOperator(this.deps.operators, key);
      return id === null ? { refused: 'unknown-key' } : { kind: 'operator', id, suspended: false };
    }
    const who = await authenticate(this.deps.store, key);
    return 'refused' in who ? who : { kind: 'key', id: who.keyId, ...who };
  }
}

/** Operators do what is theirs and nothing of a tenant's; a tenant's keys the other way round. */
function assertMay(who: Caller & { suspended: boolean }, { scope, whileSuspended }: Operation): void {
  if (who.kind === 'operator') {
    if (scope !== 'operator') throw new VerdictError('client', 'scope-missing', 'An operator’s key belongs to no tenant, and may not do this.', { fix: 'Use a key of the tenant’s.' });
    return;
  }
  if (!who.scopes.includes(scope) && (scope === 'operator' || !who.scopes.includes('admin'))) {
    throw new VerdictError('client', 'scope-missing', `This API key may not do this: it needs the scope ${scope}.`, { fix: 'Use a key that has it, or have one made.' });
  }
  if (who.suspended && whileSuspended !== true) {
    throw new VerdictError('client', 'tenant-suspended', 'Your account is suspended: only its hang-ups, its usage and its audit log can be read.', { fix: 'Ask the operator why.' });
  }
}
