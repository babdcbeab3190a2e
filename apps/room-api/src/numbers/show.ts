import { isTenantAccount } from '@partyline/domain/platform-account';
import type { OperatorNumber, UsableNumber } from '@partyline/contracts/numbers/number';
import type { OperatorNumberRow, NumberRow } from '@partyline/store/numbers/numbers';

/** A number as tenants see it. */
export const showNumber = ({
  e164,
  dedicated_to,
  country,
  language,
  toll_free,
  account_id,
}: NumberRow): UsableNumber => ({
  number: e164,
  kind: dedicated_to === null ? 'shared' : 'dedicated',
  country,
  language,
  tollFree: toll_free,
  providerAccountId: isTenantAccount(account_id) ? account_id : null,
});

/** A number as operators see it. */
export const showOperatorNumber = (row: OperatorNumberRow): OperatorNumber => ({
  ...showNumber(row),
  tenantId: row.dedicated_to,
  providerAccountId: row.account_id,
  trunkHost: row.trunk_host,
  guarded: row.guarded,
  maxUnadmitted: row.max_unadmitted,
  maxPerCallerId: row.max_per_caller_id,
  slowUntil: row.slow_until?.toISOString() ?? null,
});
