/**
 * Returns the SQL condition that a leg blocks the deletion of its tenant and of its account: it is
 * up, and the operator can hang it up. A tenant can revoke the key of its own account, so a hang-up
 * there that is unconfirmed after a day blocks nothing.
 * @param leg the alias of the leg's table in the statement
 */
export const blocksDeletion = (leg: string): string =>
  `${leg}.state <> 'ended'
   AND (
     ${leg}.tenant_account_id IS NULL
     OR ${leg}.hangup_requested_at IS NULL
     OR ${leg}.hangup_requested_at > now() - interval '1 day'
   )`;
