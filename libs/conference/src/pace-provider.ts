import { ProviderError } from '@partyline/provider-contract/provider-error';
import type { MediaProvider } from '@partyline/provider-contract/media-provider';
import type { VoiceProvider } from '@partyline/provider-contract/voice-provider';
import type { Store } from '@partyline/store/store';
import { takePlace } from '@partyline/store/turns';

/**
 * The vendor takes 3 new calls and 15 other requests a second and refuses the rest (contract §7). Ten of the fifteen are kept for
 * hang-ups, whatever dials and polls are under way: a place that nobody needs is worth less than a leg that stays up.
 */
const LANES = {
  'hang-up': { everyMs: 100, withinMs: 3_000 },
  ask: { everyMs: 200, withinMs: 2_000 },
  dial: { everyMs: 334, withinMs: 10_000 },
} as const;
type Lane = keyof typeof LANES;

/**
 * A voice and a media provider whose requests wait for their place in the account's line, which all processes share. When the line is too
 * long the request is not made: `busy`, like the vendor's own refusal, so that whoever asks comes again.
 * @param account what the vendor counts by
 */
export function paceProviders({ voice, media }: { voice: VoiceProvider; media: MediaProvider }, { store, account, sleep }: { store: Store; account: string; sleep: (ms: number) => Promise<void> }) {
  async function inLine<R>(lane: Lane, request: () => Promise<R>): Promise<R> {
    const waitMs = await takePlace(store, account, lane, LANES[lane]);
    if (waitMs === null) throw new ProviderError('busy', 'paced', 'Too many requests wait for this provider account.', { retryAfterMs: LANES[lane].withinMs });
    if (waitMs > 0) await sleep(waitMs);
    return request();
  }
  return {
    voice: {
      ...voice,
      createCall: (call) => inLine('dial', () => voice.createCall(call)),
      hangUp: (callId) => inLine('hang-up', () => voice.hangUp(callId)),
      mute: (callId, muted) => inLine('ask', () => voice.mute(callId, muted)),
      getCall: (callId) => inLine('ask', () => voice.getCall(callId)),
      listLiveCalls: () => inLine('ask', () => voice.listLiveCalls()),
    } satisfies VoiceProvider,
    // The video REST's limit is not documented; its SIP dials make calls, so they take their place among those.
    media: { ...media, dialSip: (dial) => inLine('dial', () => media.dialSip(dial)) } satisfies MediaProvider,
  };
}
