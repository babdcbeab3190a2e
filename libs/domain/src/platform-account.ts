/**
 * The id of the platform's second provider account: its own SIP trunk at the gateways, beside its
 * account at Vonage. The platform's first account has the id null. The column `tenant_account_id`
 * of the database has the same text.
 */
export const PLATFORM_SIP = 'platform-sip';

/** Whether a provider account is a tenant's; the others are the platform's. */
export const isTenantAccount = (accountId: string | null): accountId is string =>
  accountId !== null && accountId !== PLATFORM_SIP;
