import type { Clock } from '@partyline/domain/clock';
import type { ZodType } from 'zod';
import type { MediaProvider } from './media-provider.ts';
import type { VoiceProvider } from './voice-provider.ts';

/** Settings that every provider receives. */
export interface ProviderDeps {
  /**
   * Time limit of one provider request, in milliseconds. A request that takes longer ends as
   * `unknown`.
   */
  readonly timeoutMs: number;
  /**
   * URL of an MP3 or WAV that callers hear while they wait for the conference to start, for a provider
   * that fetches it for each call. Absent: silence, or music of the provider's own.
   */
  readonly holdMusicUrl?: string | undefined;
  readonly clock: Clock;
  /** Returns random text, new each time, that cannot be guessed. */
  readonly secret: () => string;
}

/**
 * The only export of a provider folder: its kind, the schema of its credentials, and its
 * constructor for one account.
 */
export interface MediaDefinition<Account> {
  readonly kind: string;
  readonly account: ZodType<Account>;
  create(account: Account, deps: ProviderDeps): MediaProvider;
}

export interface VoiceDefinition<Account> {
  readonly kind: string;
  readonly account: ZodType<Account>;
  create(account: Account, deps: ProviderDeps): VoiceProvider;
}
