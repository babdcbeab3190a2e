import type { PipeTransform } from '@nestjs/common';
import { PLATFORM_SIP } from '@partyline/domain/platform-account';
import { VerdictError } from '@partyline/domain/verdict';

/** Validates the leg id in a webhook URL. Throws `route-not-found` (404). */
export const parseLegId: PipeTransform<string | undefined, string | undefined> = {
  transform(legId) {
    if (legId === undefined || /^leg_[\w-]{1,64}$/.test(legId)) return legId;
    throw new VerdictError('client', 'route-not-found', 'There is no such leg.');
  },
};

/**
 * Validates the account id in a webhook URL; null is the platform's first account. Throws
 * `route-not-found` (404).
 */
export const parseAccountId: PipeTransform<string | undefined, string | null> = {
  transform(accountId) {
    if (accountId === undefined) return null;
    if (accountId === PLATFORM_SIP || /^acct_[\w-]{1,64}$/.test(accountId)) return accountId;
    throw new VerdictError('client', 'route-not-found', 'There is no such account.');
  },
};
