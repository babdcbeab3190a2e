import { Inject, Injectable, type CanActivate, type ExecutionContext, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { ENDING_TIMES } from '@partyline/contracts/operation';
import type { VerdictError } from '@partyline/domain/verdict';
import { toProblem } from '@partyline/runtime/problem';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { KnownRequest } from '../auth/caller.ts';
import { operationOf } from '../auth/operation-of.ts';
import { DEPS, type ApiDeps } from '../deps.ts';
import { AddressGate, tooMany } from './address-gate.ts';
import { WINDOW_S } from './request-meter.ts';

interface Metered extends KnownRequest {
  rate?: { readonly limit: number; readonly used: number };
}

/** Operators are counted too, to be seen; what they do is never refused. */
const OPERATOR_PER_MINUTE = 6_000;

/** Not the API's, and not reachable from outside. */
const INTERNAL = new Set(['/healthz', '/readyz', '/metrics']);

/**
 * Counts every request, and refuses those of a tenant (429 `rate-limited`) beyond its limit, those that end something beyond a far higher one. Those that
 * come without a good key are counted by the address that they come from. To stand behind the key guard.
 */
@Injectable()
export class RateGuard implements CanActivate, OnModuleInit {
  constructor(
    @Inject(DEPS) private readonly deps: ApiDeps,
    @Inject(HttpAdapterHost) private readonly host: HttpAdapterHost,
    @Inject(AddressGate) private readonly gate: AddressGate,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const http = context.switchToHttp();
    const request = http.getRequest<Metered>();
    const reply = http.getResponse<FastifyReply>();
    const { caller } = request;
    if (caller?.kind === 'operator')
      await this.count(request, reply, { policy: 'operator', who: caller.id, limit: OPERATOR_PER_MINUTE });
    if (caller?.kind !== 'key') return true;
    const over = await this.count(request, reply, {
      policy: 'tenant',
      who: caller.tenantId,
      limit: caller.requestsPerMinute,
    });
    if (over !== null && (!operationOf(request).ends || request.rate!.used > ENDING_TIMES * caller.requestsPerMinute))
      throw over;
    return true;
  }

  /** What was answered without a tenant's key: refused by the key guard, or before it, or open to all. */
  onModuleInit(): void {
    const fastify = this.host.httpAdapter.getInstance<FastifyInstance>();
    fastify.addHook('onSend', async (request: Metered, reply, payload: unknown) => {
      if (request.rate !== undefined || INTERNAL.has(request.routeOptions.url ?? '')) return payload;
      const over = await this.count(request, reply, {
        policy: 'address',
        who: request.ip,
        limit: this.deps.unauthenticatedPerMinute,
      });
      if (over === null) return payload;
      void reply
        .code(429)
        .removeHeader('content-length')
        .type('application/problem+json')
        .header('retry-after', Math.ceil((over.retryAfterMs ?? 0) / 1000));
      return JSON.stringify(toProblem(over, request.id));
    });
  }

  private async count(
    request: Metered,
    reply: FastifyReply,
    { policy, who, limit }: { policy: string; who: string; limit: number },
  ): Promise<VerdictError | null> {
    const { used, endsInS } = await this.deps.requestMeter.count(`${policy}:${who}`);
    request.rate = { limit, used };
    // draft-ietf-httpapi-ratelimit-headers-11
    void reply
      .header('ratelimit-policy', `"${policy}";q=${limit};w=${WINDOW_S}`)
      .header('ratelimit', `"${policy}";r=${Math.max(0, limit - used)};t=${endsInS}`);
    if (used <= limit) return null;
    if (policy === 'address') this.gate.close(who, endsInS, { limit, used });
    return tooMany(endsInS, { limit, used });
  }
}
