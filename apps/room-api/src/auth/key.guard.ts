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
import { clientNetworkOf } from '@partyline/runtime/client-address';
import { statusOf } from '@partyline/runtime/problem';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { DEPS, type ApiDeps } from '../deps.ts';
import { AddressGate } from '../limits/address-gate.ts';
import type { AuthenticatedRequest } from './caller.ts';
import { authenticateRequest } from './authenticate-request.ts';
import { operationOf } from './operation-of.ts';
import { isStreamToken } from './stream-token.ts';

const WITHOUT_KEY = 'public: no API key needed';

/** Marks routes that need no API key. Every other route needs one by default. */
export const WithoutKey = (): MethodDecorator & ClassDecorator => SetMetadata(WITHOUT_KEY, true);

/** Injects the id of the tenant of the API key. */
export const TenantId = createParamDecorator(
  (_: unknown, context: ExecutionContext) => context.switchToHttp().getRequest<{ tenantId: string }>().tenantId,
);

/** Authenticates a request by its API or operator key and checks the scope. Throws 401 and 403. */
@Injectable()
export class KeyGuard implements CanActivate {
  constructor(
    @Inject(DEPS) private readonly deps: ApiDeps,
    @Inject(Reflector) private readonly reflector: Reflector,
    @Inject(AddressGate) private readonly gate: AddressGate,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (this.reflector.getAllAndOverride<boolean | undefined>(WITHOUT_KEY, [context.getHandler(), context.getClass()]))
      return true;
    const http = context.switchToHttp();
    const request = http.getRequest<AuthenticatedRequest>();
    const authorization = authorizationOf(request);
    const keyId = publicKeyIdOf(authorization);
    if (keyId !== null) request.keyId = keyId;
    try {
      const caller = await this.gate.lookUpKey(clientNetworkOf(request), authorization, () =>
        authenticateRequest(this.deps, authorization, operationOf(request)),
      );
      request.caller = caller;
      if (caller.kind === 'key') request.tenantId = caller.tenantId;
      return true;
    } catch (error) {
      if (error instanceof VerdictError && statusOf(error.verdict) === 401)
        void http.getResponse<FastifyReply>().header('www-authenticate', 'Bearer');
      throw error;
    }
  }
}

/**
 * The `Authorization` of a request. An `EventSource` can send no header, only a stream token in the
 * query.
 */
export function authorizationOf(request: FastifyRequest): string | undefined {
  const { streamToken } = request.query as { readonly streamToken?: unknown };
  return request.headers.authorization === undefined && typeof streamToken === 'string' && isStreamToken(streamToken)
    ? `Bearer ${streamToken}`
    : request.headers.authorization;
}

/**
 * The public part of a key in its exact form: the id of an API key, or the name of an operator. Of
 * any other text nothing is known to be public.
 */
function publicKeyIdOf(authorization: string | undefined): string | null {
  const [, apiKeyId, operator] =
    /^Bearer +(?:pl_[a-z]{1,10}_([0-9a-f]{8,40})|plop_([A-Za-z0-9]{1,40}))_[\w-]{43}$/i.exec(authorization ?? '') ?? [];
  return apiKeyId ?? operator ?? null;
}
