import type { RawBodyRequest } from '@nestjs/common';
import { VerdictError } from '@partyline/domain/verdict';
import { verifyControlRequest } from '@partyline/provider-janus/sign-request';
import type { FastifyRequest } from 'fastify';
import type { ControlDeps } from './control-deps.ts';

/**
 * Verifies the signature of a control request, over its method, path and raw body.
 * @throws VerdictError `control-rejected` (401)
 */
export function verifyControl(
  { gatewayId, secrets, usedTokens, clock }: Pick<ControlDeps, 'gatewayId' | 'secrets' | 'usedTokens' | 'clock'>,
  request: RawBodyRequest<FastifyRequest>,
): void {
  const verified = verifyControlRequest(
    `${gatewayId} ${request.method} ${request.url}`,
    secrets,
    { authorization: request.headers.authorization, rawBody: request.rawBody ?? Buffer.alloc(0) },
    clock.now(),
  );
  if (!verified.ok) throw rejection(verified.refused);
  if (!usedTokens.use(verified.jti, verified.expiresAt)) throw rejection('used before');
}

const rejection = (why: string): VerdictError =>
  new VerdictError('client', 'control-rejected', `The request was rejected: ${why}.`, {
    fix: 'Use the same GATEWAY_SECRET in all services, and check their clocks.',
  });
