import { VerdictError } from '@partyline/domain/verdict';
import type { MediaDefinition, ProviderDeps, VoiceDefinition } from '@partyline/provider-contract/definition';
import type { MediaProvider } from '@partyline/provider-contract/media-provider';
import type { VoiceProvider } from '@partyline/provider-contract/voice-provider';
import { opentokMedia } from '@partyline/provider-vonage/media/opentok-media';
import { unifiedMedia } from '@partyline/provider-vonage/media/unified-media';
import { vonageVoice } from '@partyline/provider-vonage/voice/vonage-voice';
import type { ZodType } from 'zod';

/** The settings of one provider account, as they are stored or configured: which kind, and that kind's credentials. */
interface AccountSettings {
  readonly kind: string;
  readonly account: unknown;
}

/** What a platform or tenant names: the video side and the telephone side of its conferences. */
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

/** Reads credentials; the message names the setting and the fix, never the value. */
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

const media = <Account>(definition: MediaDefinition<Account>): Entry<MediaProvider> => ({
  kind: definition.kind,
  create: (account, deps, at) => definition.create(readAccount(definition.kind, definition.account, account, at), deps),
});

const voice = <Account>(definition: VoiceDefinition<Account>): Entry<VoiceProvider> => ({
  kind: definition.kind,
  create: (account, deps, at) => definition.create(readAccount(definition.kind, definition.account, account, at), deps),
});

/** The one list: a new provider is a folder beside this one, and a line here. */
const MEDIA: readonly Entry<MediaProvider>[] = [media(opentokMedia), media(unifiedMedia)];
const VOICE: readonly Entry<VoiceProvider>[] = [voice(vonageVoice)];

function findEntry<Provider>(list: readonly Entry<Provider>[], what: string, kind: string, at: string): Entry<Provider> {
  const entry = list.find((one) => one.kind === kind);
  if (entry !== undefined) return entry;
  const known = list.map((one) => one.kind).join(', ');
  throw new VerdictError('client', 'unknown-provider-kind', `There is no such ${what} provider.`, {
    field: at,
    fix: `Set ${at} to one of: ${known}.`,
  });
}

/** The media provider for one account. @param at where the settings stand, a JSON pointer for the error. @throws VerdictError (client) */
export const createMediaProvider = ({ kind, account }: AccountSettings, deps: ProviderDeps, at = ''): MediaProvider =>
  findEntry(MEDIA, 'media', kind, `${at}/kind`).create(account, deps, `${at}/account`);

/** The voice provider for one account; as `mediaProvider`. */
export const createVoiceProvider = ({ kind, account }: AccountSettings, deps: ProviderDeps, at = ''): VoiceProvider =>
  findEntry(VOICE, 'voice', kind, `${at}/kind`).create(account, deps, `${at}/account`);

/** Both sides. @throws VerdictError (client) that points to the setting */
export const createProviders = (settings: ProviderSettings, deps: ProviderDeps): Providers => ({
  media: createMediaProvider(settings.media, deps, '/media'),
  voice: createVoiceProvider(settings.voice, deps, '/voice'),
});
