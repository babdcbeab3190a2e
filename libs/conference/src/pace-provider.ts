import { ProviderError } from '@partyline/provider-contract/provider-error';
import type { Store } from '@partyline/store/store';
import { takePlace } from '@partyline/store/turns';
import type { Providers } from './deps.ts';

/**
 * The vendor takes 3 new calls and 15 other requests in any second and refuses the rest (contract §7). Most of the fifteen are kept for
 * hang-ups, whatever dials and polls are under way: a place that nobody needs is worth less than a leg that stays up. Requests leave at
 * their place or a little after, so some of them draw together: each lane is slower than its share, by as much as lets 150 ms of that pass
 * (a second then holds at most 11 hang-ups, 4 others, 3 new calls).
 */
const LANES = {
  'hang-up': { everyMs: 110, withinMs: 4_000 },
  ask: { everyMs: 334, withinMs: 2_000 },
  dial: { everyMs: 400, withinMs: 10_000 },
} as const;
/** The reason of a request that was not made, because too many are waiting. */
export const PACED = 'paced';
/** The inventory goes in the line of the other questions, but waits for as long as they never do: one page refused is the whole list lost. */
const PAGE = { ...LANES.ask, withinMs: 10_000 };

/**
 * A voice and a media provider whose requests wait for their place in the account's line, which all processes share. When the line is too
 * long the request is not made: `busy`, like the vendor's own refusal, so that whoever asks comes again.
 * @param tenantId whose account it is, null: the platform's. The lines of two tenants are two, whatever each says that the vendor counts it by: else one
 * could fill the line that another's hang-ups wait in.
 */
export function paceProviders({ voice, media }: Providers, { store, sleep, tenantId = null }: { store: Store; sleep: (ms: number) => Promise<void>; tenantId?: string | null }): Providers {
  const account = tenantId === null ? voice.countedBy : `${tenantId} ${voice.countedBy}`;
  async function place(lane: keyof typeof LANES, pace: { everyMs: number; withinMs: number } = LANES[lane]): Promise<void> {
    const waitMs = await takePlace(store, account, lane, pace);
    if (waitMs === null) throw new ProviderError('busy', PACED, 'Too many requests wait for this provider account.', { retryAfterMs: pace.withinMs });
    if (waitMs > 0) await sleep(waitMs);
  }
  async function inLine<R>(lane: keyof typeof LANES, request: () => Promise<R>): Promise<R> {
    await place(lane);
    return request();
  }
  return {
    voice: {
      ...voice,
      createCall: (call) => inLine('dial', () => voice.createCall(call)),
      hangUp: (callId) => inLine('hang-up', () => voice.hangUp(callId)),
      mute: (callId, muted) => inLine('ask', () => voice.mute(callId, muted)),
      sendDigits: (callId, digits) => inLine('ask', () => voice.sendDigits(callId, digits)),
      say: (callId, text, language) => inLine('ask', () => voice.say(callId, text, language)),
      getCall: (callId) => inLine('ask', () => voice.getCall(callId)),
      listLiveCalls: () => voice.listLiveCalls(() => place('ask', PAGE)),
    },
    // The video REST's limit is not documented; its SIP dials make calls, so they take their place among those.
    media: { ...media, dialSip: (dial) => inLine('dial', () => media.dialSip(dial)) },
  };
}
