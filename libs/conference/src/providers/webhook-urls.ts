import type { WebhookUrls } from '../deps.ts';

/**
 * The path prefix of an account's webhooks, which are verified with the secrets of that account.
 */
const accountPath = (accountId: string | null): string => (accountId === null ? '/v1' : `/v1/accounts/${accountId}`);

/**
 * The voice webhook URLs per leg, as given to the provider. voice-webhooks serves the same paths.
 * `base` has no trailing slash.
 */
export const createWebhookUrls =
  (base: string) =>
  (accountId: string | null): WebhookUrls => {
    const voice = `${base}${accountPath(accountId)}/voice`;
    return {
      answer: (legId) => `${voice}/answer/${legId}`,
      digits: (legId, tryNo) => `${voice}/digits/${legId}/${tryNo}`,
      events: (legId) => `${voice}/events/${legId}`,
    };
  };

/**
 * The webhook URLs to configure at the provider for a tenant's own account. `base` has no trailing
 * slash.
 */
export const accountWebhookUrls =
  (base: string) =>
  (accountId: string): { answer: string; fallbackAnswer: string; events: string; videoEvents: string } => {
    const prefix = base + accountPath(accountId);
    return {
      answer: `${prefix}/voice/answer`,
      fallbackAnswer: `${prefix}/voice/fallback`,
      events: `${prefix}/voice/events`,
      videoEvents: `${prefix}/video/events`,
    };
  };
