import type { MediaProvider } from '@partyline/provider-contract/media-provider';
import type { VoiceProvider } from '@partyline/provider-contract/voice-provider';
import type { Deps, Providers } from '../deps.ts';

/** Returns `deps` with some methods of the platform account's providers replaced. */
export function withProviders<D extends Deps & Providers>(
  deps: D,
  overrides: { readonly voice?: Partial<VoiceProvider>; readonly media?: Partial<MediaProvider> },
): D {
  const platform: Providers = {
    voice: { ...deps.voice, ...overrides.voice },
    media: { ...deps.media, ...overrides.media },
  };
  return {
    ...deps,
    ...platform,
    providers: async (accountId, context) => (accountId === null ? platform : deps.providers(accountId, context)),
  };
}
