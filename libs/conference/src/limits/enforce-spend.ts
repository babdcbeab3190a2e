import { fitsBudget, type SpendScope, type SpendUsage } from '@partyline/domain/money';
import { VerdictError } from '@partyline/domain/verdict';
import { lockSpend, type ProspectiveLeg } from '@partyline/store/limits/spend';
import type { Tx } from '@partyline/store/database/store';

const SPENT: Readonly<Record<SpendScope, string>> = {
  'tenant-spend': 'Your money for this month is used up, or not enough of it is left for one more connection.',
  'tenant-minutes': 'Your minutes for this month are used up.',
  'room-spend': 'The room’s money is used up, or not enough of it is left for one more connection.',
};

/**
 * Refuses (402 `spend-limit`) a leg for whose first minute there is not enough, and holds the tenant's money until the transaction ends, so that of many at once no
 * more begin than there is for. To be asked when all else is done.
 * @param more 0: the leg's row is made in this transaction; 1: it is yet to come
 */
export async function enforceSpend(tx: Tx, tenantId: string, leg: ProspectiveLeg, more: 0 | 1 = 0): Promise<void> {
  const spent = (await lockSpend(tx, tenantId, leg)).find((use) => !fitsBudget(use, more));
  if (spent !== undefined) throw spendLimit(spent);
}

const spendLimit = ({ scope }: SpendUsage): VerdictError =>
  new VerdictError('client', 'spend-limit', SPENT[scope], {
    fix: 'GET /v1/spend shows what is used; a room’s limit is yours to raise, your own is the operator’s.',
  });
