import { fitsBudget, type SpendScope, type SpendUsage } from '@partyline/domain/money';
import { VerdictError } from '@partyline/domain/verdict';
import { lockSpend, type ProspectiveLeg } from '@partyline/store/limits/spend';
import type { Tx } from '@partyline/store/database/store';

const MESSAGES: Readonly<Record<SpendScope, string>> = {
  'tenant-spend': 'Your budget for this month does not suffice for one more connection.',
  'tenant-minutes': 'You have used all minutes of this month.',
  'room-spend': "The room's budget does not suffice for one more connection.",
};

/**
 * Throws 402 `spend-limit` unless the budget covers the first minute of a leg, and locks the
 * tenant's budget until the end of the transaction, so that concurrent legs cannot exceed it. Call
 * it last.
 * @param more 0 when this transaction has inserted the leg's row, 1 when the row is yet to come
 */
export async function enforceSpend(tx: Tx, tenantId: string, leg: ProspectiveLeg, more: 0 | 1 = 0): Promise<void> {
  const exceeded = (await lockSpend(tx, tenantId, leg)).find((use) => !fitsBudget(use, more));
  if (exceeded !== undefined) throw spendLimit(exceeded);
}

const spendLimit = ({ scope }: SpendUsage): VerdictError =>
  new VerdictError('client', 'spend-limit', MESSAGES[scope], {
    fix: "GET /v1/spend shows the use. Raise the room's limit, or ask the operator to raise yours.",
  });
