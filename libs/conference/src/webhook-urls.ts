import type { WebhookUrls } from './deps.ts';

/** Our webhooks' addresses, as given to the carrier; voice-webhooks serves the same paths. `base` has no trailing slash. */
export const webhookUrls = (base: string): WebhookUrls => ({
  answer: (legId) => `${base}/v1/voice/answer/${legId}`,
  digits: (legId, tryNo) => `${base}/v1/voice/digits/${legId}/${tryNo}`,
  events: (legId) => `${base}/v1/voice/events/${legId}`,
});
