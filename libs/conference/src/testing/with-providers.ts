import type { MediaProvider } from '@partyline/provider-contract/media-provider';
import type { VoiceProvider } from '@partyline/provider-contract/voice-provider';
import type { Deps, Providers } from '../deps.ts';

/** A world whose platform's account does some things otherwise. */
export function withProviders<W extends Deps & Providers>(
  world: W,
  otherwise: { readonly voice?: Partial<VoiceProvider>; readonly media?: Partial<MediaProvider> },
): W {
  const platform: Providers = {
    voice: { ...world.voice, ...otherwise.voice },
    media: { ...world.media, ...otherwise.media },
  };
  return {
    ...world,
    ...platform,
    providers: async (accountId, asker) => (accountId === null ? platform : world.providers(accountId, asker)),
  };
}
