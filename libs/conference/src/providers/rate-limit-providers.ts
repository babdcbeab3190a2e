import { ProviderError } from '@partyline/provider-contract/provider-error';
import type { Store } from '@partyline/store/database/store';
import { takePlace, type Pace } from '@partyline/store/providers/rate-limit';
import type { RequestContext, Providers } from '../deps.ts';

/** From one hang-up of an account to the next: N legs that end together add N times this to whatever bound they have. */
export const HANG_UP_INTERVAL_MS = 110;

/**
 * The vendor takes 3 new calls and 15 other requests in any second and refuses the rest (contract §7). Most of the fifteen are kept for
 * hang-ups, whatever dials and polls are under way: a place that nobody needs is worth less than a leg that stays up. Requests leave at
 * their place or a little after, so some of them draw together: each lane is slower than its part of the whole, by as much as lets 150 ms of that pass
 * (a second then holds at most 11 hang-ups, 4 others, 3 new calls).
 *
 * Within a lane each tenant has a share (`shareMs`): while its own last place is further off than that it gets no other, so a tenant waits for as long and for one request
 * of each other tenant, however much those want. Whoever has a place waits for it here, with a worker's hands full: so places are near, and who finds none is told when to come
 * again. Those that come as jobs come back one by one (`again`).
 */
const REQUESTS = {
  /** Hanging up; and looking whether it is done, so that questions never keep a hang-up from being seen done. */
  'hang-up': { lane: 'hang-up', everyMs: HANG_UP_INTERVAL_MS, shareMs: 600, withinMs: 1_500, again: true },
  /** What somebody waits for: muting, pressing keys, saying, looking. */
  ask: { lane: 'ask', everyMs: 334, shareMs: 2_000, withinMs: 3_000 },
  /** The inventory, in the line of the other questions, waits for as long as they never do: one page refused is the whole list lost. */
  sweep: { lane: 'ask', everyMs: 334, withinMs: 10_000 },
  /** A bridge waits while phones to be rung no longer do, so it is never behind many of them: without it nobody in its room hears the other side. */
  bridge: { lane: 'dial', everyMs: 400, shareMs: 3_000, withinMs: 8_000 },
  'dial-out': { lane: 'dial', everyMs: 400, shareMs: 500, withinMs: 1_500, again: true },
} as const satisfies Record<string, Pace & { lane: string }>;

/** The reason of a request that was not made, because too many are waiting. */
export const PROVIDER_RATE_LIMITED = 'provider-rate-limited';

/** For a request that was not made for want of a place: when to come again; null for every other failure. */
export const rateLimitRetryMs = (error: unknown): number | null =>
  error instanceof ProviderError && error.verdict.reason === PROVIDER_RATE_LIMITED ? (error.retryAfterMs ?? 1_000) : null;

/**
 * A voice and a media provider whose requests wait for their place in the account's line, which all processes share. When the line is too
 * long the request is not made: `busy`, like the vendor's own refusal, so that whoever asks comes again.
 * @param tenantId whose account it is, null: the platform's. The lines of two tenants are two, whatever each says that the vendor counts it by: else one
 * could fill the line that another's hang-ups wait in.
 */
export function rateLimitProviders(
  { voice, media }: Providers,
  line: { store: Store; sleep: (ms: number) => Promise<void>; tenantId?: string | null },
  asker: RequestContext = { tenantId: null },
): Providers {
  const { store, sleep, tenantId = null } = line;
  const account = tenantId === null ? voice.rateLimitKey : `${tenantId} ${voice.rateLimitKey}`;
  async function place(what: keyof typeof REQUESTS): Promise<void> {
    const { lane, ...pace } = REQUESTS[what];
    const taken = await takePlace(store, account, lane, pace, asker.tenantId ?? undefined);
    if ('againMs' in taken)
      throw new ProviderError('busy', PROVIDER_RATE_LIMITED, 'Too many requests wait for this provider account.', {
        retryAfterMs: Math.ceil(taken.againMs),
      });
    if (taken.waitMs > 0) await sleep(taken.waitMs);
  }
  async function inLine<R>(what: keyof typeof REQUESTS, request: () => Promise<R>): Promise<R> {
    await place(what);
    return request();
  }
  return {
    voice: {
      ...voice,
      createCall: (call) => inLine('dial-out', () => voice.createCall(call)),
      hangUp: (callId) => inLine('hang-up', () => voice.hangUp(callId)),
      mute: (callId, muted) => inLine('ask', () => voice.mute(callId, muted)),
      sendDigits: (callId, digits) => inLine('ask', () => voice.sendDigits(callId, digits)),
      say: (callId, text, language) => inLine('ask', () => voice.say(callId, text, language)),
      getCall: (callId) => inLine(asker.purpose ?? 'ask', () => voice.getCall(callId)),
      listLiveCalls: () => voice.listLiveCalls(() => place('sweep')),
    },
    // The video REST's limit is not documented; its SIP dials make calls, so they take their place among those.
    media: { ...media, dialSip: (dial) => inLine('bridge', () => media.dialSip(dial)) },
    withContext: (other) => rateLimitProviders({ voice, media }, line, other),
  };
}

/** An account's providers as one who asks is to have them; without an asker, and where nothing is paced, as they are. */
export const applyRequestContext = (providers: Providers, asker: RequestContext | undefined): Providers =>
  asker === undefined ? providers : (providers.withContext?.(asker) ?? providers);
