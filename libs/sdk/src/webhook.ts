import { Webhook } from 'standardwebhooks';
import { PartylineError } from './error.ts';
import type { PartylineEvent } from './event.ts';

/** A webhook's headers, however your server gives them. */
export type WebhookHeaders = Headers | Readonly<Record<string, string | readonly string[] | undefined>>;

const NAMES = ['webhook-id', 'webhook-timestamp', 'webhook-signature'] as const;

/**
 * Checks that a webhook is Partyline's and is fresh (five minutes), and gives its event (Standard Webhooks). The same event can come twice: take an `id` once.
 * @param secret `whsec_…`, as the endpoint's creation or rotation showed it; while one is being rotated, both: [new, old]
 * @param body the bytes as they came, not parsed and written again
 * @throws PartylineError `webhook-rejected`; answer 400 then
 */
export function verifyWebhook(
  secret: string | readonly string[],
  headers: WebhookHeaders,
  body: string | Uint8Array,
): PartylineEvent {
  const given = Object.fromEntries(NAMES.map((name) => [name, headerOf(headers, name)]));
  const text = typeof body === 'string' ? body : new TextDecoder().decode(body);
  let why: unknown;
  for (const each of typeof secret === 'string' ? [secret] : secret) {
    try {
      return new Webhook(each).verify(text, given) as PartylineEvent;
    } catch (error) {
      why = error;
    }
  }
  throw new PartylineError(
    0,
    'webhook-rejected',
    `This webhook was refused: ${why instanceof Error ? why.message : 'there is no secret to check it by'}.`,
    { fix: 'Check the endpoint’s secret, that the body is passed as it came, and your clock.', cause: why },
  );
}

function headerOf(headers: WebhookHeaders, name: string): string {
  if (headers instanceof Headers) return headers.get(name) ?? '';
  const found = Object.entries(headers).find(([key]) => key.toLowerCase() === name)?.[1];
  return typeof found === 'string' ? found : (found?.[0] ?? '');
}
