import type { WebhookUrls } from '../deps.ts';

/** Where one account's vendor reaches us: its webhooks are verified with the secrets of the account that the address names. */
const areaOf = (accountId: string | null): string => (accountId === null ? '/v1' : `/v1/accounts/${accountId}`);

/** Our webhooks' addresses, as given to an account's carrier; voice-webhooks serves the same paths. `base` has no trailing slash. */
export const createWebhookUrls =
  (base: string) =>
  (accountId: string | null): WebhookUrls => {
    const voice = `${base}${areaOf(accountId)}/voice`;
    return {
      answer: (legId) => `${voice}/answer/${legId}`,
      digits: (legId, tryNo) => `${voice}/digits/${legId}/${tryNo}`,
      events: (legId) => `${voice}/events/${legId}`,
    };
  };

/** What is set at the vendor of a tenant's own account. `base` has no trailing slash. */
export const accountWebhookUrls =
  (base: string) =>
  (accountId: string): { answer: string; events: string; videoEvents: string } => {
    const area = base + areaOf(accountId);
    return { answer: `${area}/voice/answer`, events: `${area}/voice/events`, videoEvents: `${area}/video/events` };
  };
