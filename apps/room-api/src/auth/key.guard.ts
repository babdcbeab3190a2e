import {
  createParamDecorator,
  Inject,
  Injectable,
  SetMetadata,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { VerdictError } from '@partyline/domain/verdict';
import { STATUS } from '@partyline/runtime/problem';
import type { FastifyReply } from 'fastify';
import { DEPS, type ApiDeps } from '../deps.ts';
import { AddressGate } from '../limits/address-gate.ts';
import type { KnownRequest } from './caller.ts';
import { letIn } from './let-in.ts';
import { operationOf } from './operation-of.ts';

const OPEN = 'open without a key';

/** Marks what may be read without an API key. Everything else needs one, so a new route that forgets to say is closed. */
export const Open = (): MethodDecorator & ClassDecorator => SetMetadata(OPEN, true);

/** The id of the tenant whose key the request came with. */
export const Tenant = createParamDecorator(
  (_: unknown, context: ExecutionContext) => context.switchToHttp().getRequest<{ tenantId: string }>().tenantId,
);

/** Lets a request in by its API key, or an operator's, when that may do what the operation needs, and notes whose it is. Throws 401 and 403. */
@Injectable()
export class KeyGuard implements CanActivate {
  constructor(
    @Inject(DEPS) private readonly deps: ApiDeps,
    @Inject(Reflector) private readonly reflector: Reflector,
    @Inject(AddressGate) private readonly gate: AddressGate,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (this.reflector.getAllAndOverride<boolean | undefined>(OPEN, [context.getHandler(), context.getClass()]))
      return true;
    const http = context.switchToHttp();
    const request = http.getRequest<KnownRequest>();
    try {
      const { authorization } = request.headers;
      const who = await this.gate.pass(request.ip, authorization, () =>
        letIn(this.deps, authorization, operationOf(request)),
      );
      request.caller = who;
      if (who.kind === 'key') request.tenantId = who.tenantId;
      return true;
    } catch (error) {
      if (error instanceof VerdictError && STATUS[error.verdict.reason] === 401)
        void http.getResponse<FastifyReply>().header('www-authenticate', 'Bearer');
      throw error;
    }
  }
}
