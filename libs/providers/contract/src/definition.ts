import type { ZodType } from 'zod';
import type { MediaProvider } from './media-provider.ts';
import type { VoiceProvider } from './voice-provider.ts';

/** What a provider may count on from its surroundings. */
export interface ProviderDeps {
  /** A provider call that takes longer is `unknown`. Milliseconds. */
  readonly timeoutMs: number;
  /** What those on the telephone hear who wait for a conference to begin: the address of an MP3 or WAV that the provider fetches; absent: nothing. */
  readonly holdMusicUrl?: string | undefined;
}

/** A provider folder's one export: its name, its credentials' schema, and how to build it for one account. */
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
