import { signWebhook } from '@partyline/provider-janus/sign-request';
import type { Clock } from '@partyline/domain/clock';

/** A webhook that got no usable answer. The message contains no URL, because URLs name legs. */
export class WebhookError extends Error {
  /** The HTTP status; undefined when no answer came. */
  readonly status: number | undefined;

  constructor(status: number | undefined) {
    super(status === undefined ? 'voice-webhooks did not answer' : `voice-webhooks answered ${status}`);
    this.name = 'WebhookError';
    this.status = status;
  }
}

export interface WebhookDeps {
  /** Base URL of voice-webhooks, without a trailing slash. Webhooks go to no other address. */
  readonly baseUrl: string;
  readonly secret: string;
  readonly clock: Clock;
  /** Returns random text, new each time. */
  readonly nonce: () => string;
}

/** A provider gives up on a webhook after this time; voice-webhooks answers earlier. */
const TIMEOUT_MS = 5_000;

/**
 * Sends one signed webhook and returns the JSON of its reply.
 * @param account whose webhook it is; part of the signature
 * @throws WebhookError
 */
export async function sendWebhook(deps: WebhookDeps, account: string, url: string, body: unknown): Promise<unknown> {
  if (!isAllowed(deps.baseUrl, url)) throw new WebhookError(undefined);
  const rawBody = JSON.stringify(body);
  const authorization = signWebhook(account, deps.secret, rawBody, { now: deps.clock.now(), nonce: deps.nonce() });
  let reply: Response;
  try {
    reply = await fetch(url, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      body: rawBody,
      redirect: 'manual',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const text = await reply.text();
    if (reply.ok) return text === '' ? undefined : (JSON.parse(text) as unknown);
  } catch {
    throw new WebhookError(undefined);
  }
  throw new WebhookError(reply.status);
}

/** Whether a URL is below the base URL of voice-webhooks. Both may name a default port, or upper-case letters. */
export const isAllowed = (baseUrl: string, url: string): boolean =>
  URL.canParse(url) && new URL(url).href.startsWith(new URL(`${baseUrl}/`).href);

/** The paths of the webhooks of an account (libs/conference/src/providers/webhook-urls.ts). */
export function webhookUrls(baseUrl: string, account: string) {
  const prefix = account === 'platform' ? `${baseUrl}/v1` : `${baseUrl}/v1/accounts/${account}`;
  return {
    answer: `${prefix}/voice/answer`,
    events: `${prefix}/voice/events`,
    videoEvents: `${prefix}/video/events`,
  };
}
