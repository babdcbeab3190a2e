import { Webhook } from 'standardwebhooks';
import { PartylineError } from './error.ts';
import type { PartylineEvent } from './event.ts';

/** The headers of a webhook, as a Headers object or as Node's record. */
export type WebhookHeaders = Headers | Readonly<Record<string, string | readonly string[] | undefined>>;

const HEADER_NAMES = ['webhook-id', 'webhook-timestamp', 'webhook-signature'] as const;

/**
 * Verifies a webhook (Standard Webhooks): its signature, and its age of at most five minutes.
 * Returns the event. Deliveries can be duplicates: process an event `id` once.
 * @param secret `whsec_...` of the endpoint's creation or rotation; during a rotation, both: [new,
 *   old]
 * @param body the received bytes, not parsed and serialized again
 * @throws PartylineError `webhook-rejected`: respond with 400; `invalid-options`: no secret is
 * given
 */
export function verifyWebhook(
  secret: string | readonly string[],
  headers: WebhookHeaders,
  body: string | Uint8Array,
): PartylineEvent {
  const secrets: readonly (string | undefined)[] = Array.isArray(secret) ? secret : [secret];
  // The program's configuration is at fault, not the sender.
  if (!secrets.some(Boolean))
    throw new PartylineError(0, 'invalid-options', "The endpoint's secret is missing.", {
      fix: 'Pass the secret of endpoints.create (whsec_...). If it comes from an environment variable, set that variable.',
    });
  const signedHeaders = Object.fromEntries(HEADER_NAMES.map((name) => [name, headerOf(headers, name)]));
  const text = typeof body === 'string' ? body : new TextDecoder().decode(body);
  let lastError: unknown;
  for (const candidate of secrets) {
    if (!candidate) continue;
    try {
      return new Webhook(candidate).verify(text, signedHeaders) as PartylineEvent;
    } catch (error) {
      lastError = error;
    }
  }
  throw new PartylineError(
    0,
    'webhook-rejected',
    `The webhook is rejected: ${lastError instanceof Error ? lastError.message : 'no secret is configured'}.`,
    { fix: "Check the endpoint's secret, the clock, and that the body is passed unparsed.", cause: lastError },
  );
}

function headerOf(headers: WebhookHeaders, name: string): string {
  if (headers instanceof Headers) return headers.get(name) ?? '';
  const found = Object.entries(headers).find(([key]) => key.toLowerCase() === name)?.[1];
  return typeof found === 'string' ? found : (found?.[0] ?? '');
}
