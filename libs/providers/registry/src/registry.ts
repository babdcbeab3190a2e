import { VerdictError } from '@partyline/domain/verdict';
import type { MediaDefinition, ProviderDeps, VoiceDefinition } from '@partyline/provider-contract/definition';
import type { MediaProvider } from '@partyline/provider-contract/media-provider';
import type { VoiceProvider } from '@partyline/provider-contract/voice-provider';
import { janusMedia } from '@partyline/provider-janus/media/janus-media';
import { janusVoice } from '@partyline/provider-janus/voice/janus-voice';
import { opentokMedia } from '@partyline/provider-vonage/media/opentok-media';
import { unifiedMedia } from '@partyline/provider-vonage/media/unified-media';
import { vonageVoice } from '@partyline/provider-vonage/voice/vonage-voice';
import type { ZodType } from 'zod';

/**
 * The settings of one provider account, as stored or configured: a kind, and the credentials of
 * that kind.
 */
interface AccountSettings {
  readonly kind: string;
  readonly account: unknown;
}

/** The video account and the voice account of a platform or tenant. */
export interface ProviderSettings {
  readonly media: AccountSettings;
  readonly voice: AccountSettings;
}

export interface Providers {
  readonly media: MediaProvider;
  readonly voice: VoiceProvider;
}

interface Entry<Provider> {
  readonly kind: string;
  readonly create: (account: unknown, deps: ProviderDeps, at: string) => Provider;
}

/** Validates credentials. The error names the setting and the fix, never the value. */
function readAccount<Account>(kind: string, schema: ZodType<Account>, account: unknown, at: string): Account {
  const read = schema.safeParse(account);
  if (read.success) return read.data;
  const faults = read.error.issues.map((issue) => ({
    field: [at, ...issue.path.map(String)].join('/'),
    message: issue.message,
  }));
  const list = faults.map((fault) => `${fault.field} ${fault.message}`).join('; ');
  throw new VerdictError('client', 'bad-provider-account', `The ${kind} account cannot be used: ${list}.`, {
    field: faults[0]?.field ?? at,
    fix: `Correct ${faults.map((fault) => fault.field).join(', ')}.`,
  });
}

const mediaEntry = <Account>(definition: MediaDefinition<Account>): Entry<MediaProvider> => ({
  kind: definition.kind,
  create: (account, deps, at) => definition.create(readAccount(definition.kind, definition.account, account, at), deps),
});

const voiceEntry = <Account>(definition: VoiceDefinition<Account>): Entry<VoiceProvider> => ({
  kind: definition.kind,
  create: (account, deps, at) => definition.create(readAccount(definition.kind, definition.account, account, at), deps),
});

/** All providers. A new provider needs a folder next to this one and an entry here. */
const MEDIA: readonly Entry<MediaProvider>[] = [
  mediaEntry(opentokMedia),
  mediaEntry(unifiedMedia),
  mediaEntry(janusMedia),
];
const VOICE: readonly Entry<VoiceProvider>[] = [voiceEntry(vonageVoice), voiceEntry(janusVoice)];

function findEntry<Provider>(
  list: readonly Entry<Provider>[],
  side: string,
  kind: string,
  at: string,
): Entry<Provider> {
  const entry = list.find((one) => one.kind === kind);
  if (entry !== undefined) return entry;
  const known = list.map((one) => one.kind).join(', ');
  throw new VerdictError('client', 'unknown-provider-kind', `This kind of ${side} provider does not exist.`, {
    field: at,
    fix: `Set ${at} to one of: ${known}.`,
  });
}

/**
 * Creates the media provider of one account.
 * @param at JSON pointer to the settings, for the error
 * @throws VerdictError (client) for invalid settings
 */
export const createMediaProvider = ({ kind, account }: AccountSettings, deps: ProviderDeps, at = ''): MediaProvider =>
  findEntry(MEDIA, 'media', kind, `${at}/kind`).create(account, deps, `${at}/account`);

/** Creates the voice provider of one account; see `createMediaProvider`. */
export const createVoiceProvider = ({ kind, account }: AccountSettings, deps: ProviderDeps, at = ''): VoiceProvider =>
  findEntry(VOICE, 'voice', kind, `${at}/kind`).create(account, deps, `${at}/account`);

/**
 * Creates both providers.
 * @throws VerdictError (client) that points to the invalid setting
 */
export const createProviders = (settings: ProviderSettings, deps: ProviderDeps): Providers => ({
  media: createMediaProvider(settings.media, deps, '/media'),
  voice: createVoiceProvider(settings.voice, deps, '/voice'),
});
