import { RateLimiterMemory } from 'rate-limiter-flexible';

/** The 3,600 calls that an account can receive in an hour have about 500 webhooks a minute. */
const WEBHOOKS_PER_MINUTE = 6_000;

/**
 * Counts the webhooks of each tenant's account in this process. A tenant can sign any number of
 * them, and each is stored.
 * @returns whether this webhook of the account is within its limit
 */
export type AccountLimit = (accountId: string) => Promise<boolean>;

export function openAccountLimit(perMinute = WEBHOOKS_PER_MINUTE): AccountLimit {
  const limiter = new RateLimiterMemory({ points: perMinute, duration: 60 });
  return (accountId) =>
    limiter.consume(accountId).then(
      () => true,
      () => false,
    );
}
