import type { RawBodyRequest } from '@nestjs/common';
import { VerdictError } from '@partyline/domain/verdict';
import type { Callback, Verified } from '@partyline/provider-contract/callback';
import type { UsedToken } from '@partyline/store/voice-webhooks';
import type { FastifyRequest } from 'fastify';
import type { WebhookDeps } from './deps.ts';

/**
 * Checks a webhook's signature in full over its raw bytes, before anything in it is read. Throws `webhook-refused` (401), and nothing has
 * changed. The token that it gives is still to be used up, in the transaction of whatever the webhook changes.
 */
export function verify(deps: Pick<WebhookDeps, 'clock' | 'report'>, provider: { verifyCallback(callback: Callback, now: Date): Verified }, request: RawBodyRequest<FastifyRequest>): UsedToken {
  const verified = provider.verifyCallback({ authorization: request.headers.authorization, rawBody: request.rawBody ?? Buffer.alloc(0) }, deps.clock.now());
  if (verified.ok) return { jti: verified.jti, expiresAt: verified.expiresAt };
  deps.report.count('webhook_refused', { why: verified.refused });
  throw new VerdictError('client', 'webhook-refused', `This webhook was refused: ${verified.refused}.`, { fix: 'Only the carrier can sign these; check the signature secret and the clock: docs/operators.md.' });
}
