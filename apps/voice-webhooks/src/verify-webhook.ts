import type { RawBodyRequest } from '@nestjs/common';
import type { Providers } from '@partyline/conference/deps';
import { isTenantAccount } from '@partyline/domain/platform-account';
import { VerdictError } from '@partyline/domain/verdict';
import type { RefusedCallback } from '@partyline/provider-contract/callback';
import type { WebhookToken } from '@partyline/store/callers/webhook-tokens';
import type { FastifyRequest } from 'fastify';
import type { WebhookDeps } from './deps.ts';

/** A webhook with a valid signature of its account's provider. */
interface VerifiedWebhook<Side extends 'media' | 'voice'> {
  readonly provider: Providers[Side];
  readonly token: WebhookToken;
}

/**
 * Verifies a webhook's signature over the raw body before the body is read. Only the secrets of the
 * account in the URL count, whatever account the token names. Throws `webhook-rejected` (401); an
 * unknown account gets the same error as a wrong signature. Throws `rate-limited` (429) when a
 * tenant's account has sent too many. The calling function must mark the
 * returned token as used in the transaction of the webhook's change.
 * @param accountId from the URL; null is the platform's first account
 */
export async function verifyWebhook<Side extends 'media' | 'voice'>(
  deps: Pick<WebhookDeps, 'providers' | 'clock' | 'report' | 'accountLimit'>,
  side: Side,
  accountId: string | null,
  request: RawBodyRequest<FastifyRequest>,
): Promise<VerifiedWebhook<Side>> {
  const rejection = (why: RefusedCallback): VerdictError => {
    deps.report.count('webhook_rejected', { reason: why });
    return new VerdictError('client', 'webhook-rejected', `The webhook was rejected: ${why}.`, {
      fix: 'Check the signature secret of the account and the clock of this host: docs/operators.md.',
    });
  };
  const providers = await deps.providers(accountId).catch((error: unknown) => {
    throw error instanceof VerdictError && error.verdict.reason === 'provider-account-gone'
      ? rejection('wrong-signature')
      : error;
  });
  const provider = providers[side];
  const verified = provider.verifyCallback(
    { authorization: request.headers.authorization, rawBody: request.rawBody ?? Buffer.alloc(0) },
    deps.clock.now(),
  );
  if (!verified.ok) throw rejection(verified.refused);
  // After the signature: only the account's owner can use up its limit.
  if (isTenantAccount(accountId) && !(await deps.accountLimit(accountId))) {
    deps.report.count('webhook_rejected', { reason: 'too-many' });
    throw new VerdictError('client', 'rate-limited', 'The provider account sent too many webhooks in this minute.', {
      fix: 'Send the webhook again after the time in retry-after.',
      retryAfterMs: 60_000,
    });
  }
  return { provider, token: { accountId, jti: verified.jti, expiresAt: verified.expiresAt } };
}
