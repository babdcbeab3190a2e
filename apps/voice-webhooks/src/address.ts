import type { PipeTransform } from '@nestjs/common';
import { VerdictError } from '@partyline/domain/verdict';

/** The leg in a webhook's address, which we wrote ourselves: what is not of its form is no address of ours. */
export const ourLegId: PipeTransform<string | undefined, string | undefined> = {
  transform(legId) {
    if (legId === undefined || /^leg_[\w-]{1,64}$/.test(legId)) return legId;
    throw new VerdictError('client', 'route-not-found', 'There is no such leg.');
  },
};

/** Whose address it is; null: the platform's own. */
export const ourAccountId: PipeTransform<string | undefined, string | null> = {
  transform(accountId) {
    if (accountId === undefined) return null;
    if (/^acct_[\w-]{1,64}$/.test(accountId)) return accountId;
    throw new VerdictError('client', 'route-not-found', 'There is no such account.');
  },
};
