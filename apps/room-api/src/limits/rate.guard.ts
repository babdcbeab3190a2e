import { Inject, Injectable, type CanActivate, type ExecutionContext, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { END_RATE_FACTOR } from '@partyline/contracts/operation';
import type { VerdictError } from '@partyline/domain/verdict';
import { clientNetworkOf } from '@partyline/runtime/client-address';
import { toProblem } from '@partyline/runtime/problem';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { AuthenticatedRequest } from '../auth/caller.ts';
import { operationOf } from '../auth/operation-of.ts';
import { DEPS, type ApiDeps } from '../deps.ts';
import { AddressGate, rateLimited } from './address-gate.ts';
import { WINDOW_SECONDS } from './request-meter.ts';

interface MeteredRequest extends AuthenticatedRequest {
  rate?: { readonly limit: number; readonly used: number };
}

/** Requests of operators are counted for the headers and never rejected. */
const OPERATOR_REQUESTS_PER_MINUTE = 6_000;

/**
 * Counts every request and rejects those above the tenant's limit (429 `rate-limited`). Operations
 * that end something have a far higher limit. Requests without a valid key are counted per network
 * of the client (`clientNetworkOf`). Must run after the key guard.
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
    const request = http.getRequest<MeteredRequest>();
    const reply = http.getResponse<FastifyReply>();
    const { caller } = request;
    if (caller?.kind === 'operator')
      await this.countRequest(request, reply, {
        policy: 'operator',
        subject: caller.id,
        limit: OPERATOR_REQUESTS_PER_MINUTE,
      });
    if (caller?.kind !== 'key') return true;
    const over = await this.countRequest(request, reply, {
      policy: 'tenant',
      subject: caller.tenantId,
      limit: caller.requestsPerMinute,
    });
    if (
      over !== null &&
      (!operationOf(request).ends || request.rate!.used > END_RATE_FACTOR * caller.requestsPerMinute)
    )
      throw over;
    return true;
  }

  /**
   * Counts replies to requests without a caller: public routes, and requests that the key guard
   * rejected.
   */
  onModuleInit(): void {
    const fastify = this.host.httpAdapter.getInstance<FastifyInstance>();
    fastify.addHook('onSend', async (request: MeteredRequest, reply, payload: unknown) => {
      if (request.rate !== undefined) return payload;
      const over = await this.countRequest(request, reply, {
        policy: 'address',
        subject: clientNetworkOf(request),
        limit: this.deps.unauthenticatedPerMinute,
      });
      if (over === null) return payload;
      void reply
        .code(429)
        .removeHeader('content-length')
        .header('cache-control', 'no-store')
        .type('application/problem+json')
        .header('retry-after', Math.ceil((over.retryAfterMs ?? 0) / 1000));
      return JSON.stringify(toProblem(over, request.id));
    });
  }

  private async countRequest(
    request: MeteredRequest,
    reply: FastifyReply,
    { policy, subject, limit }: { policy: string; subject: string; limit: number },
  ): Promise<VerdictError | null> {
    const { used, endsInS } = await this.deps.requestMeter.count(`${policy}:${subject}`);
    request.rate = { limit, used };
    // draft-ietf-httpapi-ratelimit-headers-11
    void reply
      .header('ratelimit-policy', `"${policy}";q=${limit};w=${WINDOW_SECONDS}`)
      .header('ratelimit', `"${policy}";r=${Math.max(0, limit - used)};t=${endsInS}`);
    if (used <= limit) return null;
    if (policy === 'address') this.gate.close(subject, endsInS, { limit, used });
    return rateLimited(endsInS, { limit, used });
  }
}
