import type { RawBodyRequest } from '@nestjs/common';
import type { Providers } from '@partyline/conference/deps';
import { VerdictError } from '@partyline/domain/verdict';
import type { RefusedCallback } from '@partyline/provider-contract/callback';
import type { UsedToken } from '@partyline/store/callers/voice-webhooks';
import type { FastifyRequest } from 'fastify';
import type { WebhookDeps } from './deps.ts';

/** A webhook that its account's vendor did sign. */
interface VerifiedWebhook<Side extends 'media' | 'voice'> {
  readonly provider: Providers[Side];
  readonly token: UsedToken;
}

/**
 * Checks a webhook's signature in full over its raw bytes, before anything in it is read, with the secrets of the account whose address it came to and of no
 * other, whatever it names itself. Throws `webhook-refused` (401), and nothing has changed; for an account that is not there in the same words as for a wrong signature. The
 * token that it gives is still to be used up, in the transaction of whatever the webhook changes.
 * @param accountId from the address; null: the platform's
 */
export async function verify<Side extends 'media' | 'voice'>(
  deps: Pick<WebhookDeps, 'providers' | 'clock' | 'report'>,
  side: Side,
  accountId: string | null,
  request: RawBodyRequest<FastifyRequest>,
): Promise<VerifiedWebhook<Side>> {
  const refused = (why: RefusedCallback): VerdictError => {
    deps.report.count('webhook_refused', { why });
    return new VerdictError('client', 'webhook-refused', `This webhook was refused: ${why}.`, {
      fix: 'Only the carrier can sign these; check the signature secret and the clock: docs/operators.md.',
    });
  };
  const providers = await deps.providers(accountId).catch((error: unknown) => {
    throw error instanceof VerdictError && error.verdict.reason === 'provider-account-gone'
      ? refused('wrong-signature')
      : error;
  });
  const provider = providers[side];
  const verified = provider.verifyCallback(
    { authorization: request.headers.authorization, rawBody: request.rawBody ?? Buffer.alloc(0) },
    deps.clock.now(),
  );
  if (!verified.ok) throw refused(verified.refused);
  return { provider, token: { accountId, jti: verified.jti, expiresAt: verified.expiresAt } };
}
