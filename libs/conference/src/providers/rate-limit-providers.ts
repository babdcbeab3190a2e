import { ProviderError } from '@partyline/provider-contract/provider-error';
import type { Store } from '@partyline/store/database/store';
import { reserveSlot, type RateLimit } from '@partyline/store/providers/rate-limit';
import type { Providers, RequestContext } from '../deps.ts';

/**
 * The interval between two slots for hang-ups and their look-ups, per account: N legs that end
 * together add N times this to any bound.
 */
export const HANG_UP_INTERVAL_MS = 110;

/** The interval between two new calls, per account. */
export const DIAL_INTERVAL_MS = 400;

/**
 * Vonage accepts 3 new calls and 15 other requests per second and rejects the rest (contract
 * section 7). Most of the fifteen are reserved for hang-ups, however many dials and polls are in
 * progress: an unused slot costs less than a leg that stays up. A request leaves at its slot or a
 * little later, so requests can bunch up. Each lane therefore runs slower than its share of the
 * limit, by enough to allow 150 ms of delay: a second holds at most 11 hang-ups, 4 other requests
 * and 3 new calls.
 *
 * Within a lane each tenant has a share. A tenant gets no further slot while its last slot is more
 * than `maxShareWaitMs` away, so one tenant's demand delays another by at most that time and one
 * request. A request waits for its slot in the worker, so only near slots are given; without one
 * the request fails with a retry time. With `spreadRetries` each waiting request gets a retry time
 * of its own. Requests that end or list video connections need no slot.
 */
const REQUESTS = {
  /**
   * Hang-ups and the look-ups that confirm them, so that other requests never delay a confirmation.
   */
  'hang-up': {
    lane: 'hang-up',
    intervalMs: HANG_UP_INTERVAL_MS,
    maxShareWaitMs: 600,
    maxWaitMs: 1_500,
    spreadRetries: true,
  },
  /** Requests that a user waits for: mute, send digits, say, look-up. */
  request: { lane: 'request', intervalMs: 334, maxShareWaitMs: 2_000, maxWaitMs: 3_000 },
  /**
   * The inventory shares the lane but waits longer: one rejected page invalidates the whole list.
   */
  sweep: { lane: 'request', intervalMs: 334, maxWaitMs: 10_000 },
  /**
   * A bridge waits longer than a dial-out, so that many dial-outs do not starve it: without the
   * bridge, browsers and phones in the room cannot hear each other.
   */
  bridge: { lane: 'dial', intervalMs: DIAL_INTERVAL_MS, maxShareWaitMs: 3_000, maxWaitMs: 8_000 },
  'dial-out': {
    lane: 'dial',
    intervalMs: DIAL_INTERVAL_MS,
    maxShareWaitMs: 500,
    maxWaitMs: 1_500,
    spreadRetries: true,
  },
} as const satisfies Record<string, RateLimit & { lane: string }>;

/**
 * The reason of a request that was not sent because the account has no slot within the permitted
 * wait.
 */
export const PROVIDER_RATE_LIMITED = 'provider-rate-limited';

/**
 * The retry delay of a request that was not sent for want of a slot; null for every other error.
 */
export const rateLimitRetryMs = (error: unknown): number | null =>
  error instanceof ProviderError && error.verdict.reason === PROVIDER_RATE_LIMITED
    ? (error.retryAfterMs ?? 1_000)
    : null;

/**
 * Wraps the providers of one account so that each request waits for a slot of the account, which
 * all processes share. Without a near slot the request is not sent and fails as `busy`, like the
 * provider's own rejection. A provider without a rate limit is returned as it is.
 * @param account.tenantId the owner of the account; null for the platform's. The slots of two
 *   tenants are separate even when both accounts have the same rate limit key: otherwise one tenant
 *   could delay the hang-ups of another.
 */
export function rateLimitProviders(
  { voice, media }: Providers,
  account: { store: Store; sleep: (ms: number) => Promise<void>; tenantId?: string | null },
  context: RequestContext = { tenantId: null },
): Providers {
  const { store, sleep, tenantId = null } = account;
  if (voice.rateLimitKey === null) return { voice, media };
  const accountKey = tenantId === null ? voice.rateLimitKey : `${tenantId} ${voice.rateLimitKey}`;
  async function waitForSlot(kind: keyof typeof REQUESTS): Promise<void> {
    const { lane, ...limit } = REQUESTS[kind];
    const slot = await reserveSlot(store, accountKey, lane, limit, context.tenantId ?? undefined);
    if ('retryAfterMs' in slot)
      throw new ProviderError(
        'busy',
        PROVIDER_RATE_LIMITED,
        'Too many requests are waiting for this provider account.',
        {
          retryAfterMs: Math.ceil(slot.retryAfterMs),
        },
      );
    if (slot.waitMs > 0) await sleep(slot.waitMs);
  }
  async function withSlot<R>(kind: keyof typeof REQUESTS, request: () => Promise<R>): Promise<R> {
    await waitForSlot(kind);
    return request();
  }
  return {
    voice: {
      ...voice,
      createCall: (call) => withSlot('dial-out', () => voice.createCall(call)),
      hangUp: (callId) => withSlot('hang-up', () => voice.hangUp(callId)),
      mute: (callId, muted) => withSlot('request', () => voice.mute(callId, muted)),
      sendDigits: (callId, digits) => withSlot('request', () => voice.sendDigits(callId, digits)),
      say: (callId, text, language) => withSlot('request', () => voice.say(callId, text, language)),
      transfer: (callId, plan) => withSlot('request', () => voice.transfer(callId, plan)),
      setDeadline: (callId, deadline) => withSlot('request', () => voice.setDeadline(callId, deadline)),
      getCall: (callId) => withSlot(context.purpose ?? 'request', () => voice.getCall(callId)),
      listLiveCalls: () => voice.listLiveCalls(() => waitForSlot('sweep')),
    },
    // The limit of the video REST API is not documented. Its SIP dials create calls, so they share
    // the dial lane.
    media: { ...media, dialSip: (dial) => withSlot('bridge', () => media.dialSip(dial)) },
    withContext: (other) => rateLimitProviders({ voice, media }, account, other),
  };
}

/**
 * Returns the providers for one request context; unchanged without a context or without rate
 * limits.
 */
export const applyRequestContext = (providers: Providers, context: RequestContext | undefined): Providers =>
  context === undefined ? providers : (providers.withContext?.(context) ?? providers);
