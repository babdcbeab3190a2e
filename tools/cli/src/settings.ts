import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { UsageError } from './exit-codes.ts';
import type { Io } from './io.ts';

/** The API's address and the key to use. */
export interface Settings {
  readonly url: string;
  readonly key: string;
}

type SettingsSource = Pick<Io, 'env' | 'home'>;

/** Returns `$PARTYLINE_CONFIG`, or config.json in the user's configuration folder. */
const settingsPath = ({ env, home }: SettingsSource): string =>
  env['PARTYLINE_CONFIG'] ?? join(env['XDG_CONFIG_HOME'] ?? join(home, '.config'), 'partyline', 'config.json');

/** A tenant's key, an operator's key or both, for one address. */
interface StoredSettings {
  readonly url?: string;
  readonly key?: string;
  readonly operatorKey?: string;
}

/** The form in which an address is stored and compared. */
export const trimTrailingSlashes = (url: string): string => url.replace(/\/+$/, '');

/**
 * Reads the file of the last login; empty when none exists. Throws a UsageError when it is not
 * JSON.
 */
function loadSettings(source: SettingsSource): StoredSettings {
  const file = settingsPath(source);
  if (!existsSync(file)) return {};
  try {
    const { url, key, operatorKey } = JSON.parse(readFileSync(file, 'utf8')) as StoredSettings;
    return {
      ...(typeof url === 'string' && { url }),
      ...(typeof key === 'string' && { key }),
      ...(typeof operatorKey === 'string' && { operatorKey }),
    };
  } catch {
    throw new UsageError(`${file} cannot be read.`, 'Delete the file and run partyline login again.');
  }
}

/**
 * Merges the environment over the stored file. A stored key is used only for the address it was
 * stored with.
 */
export function resolveSettings(source: SettingsSource): StoredSettings {
  // An empty variable is one that is not set.
  const [url, key, operatorKey] = ['PARTYLINE_URL', 'PARTYLINE_KEY', 'PARTYLINE_OPERATOR_KEY'].map(
    (name) => source.env[name] || undefined,
  );
  const stored = loadSettings(source);
  const usable = url === undefined || trimTrailingSlashes(url) === stored.url ? stored : {};
  return {
    ...usable,
    ...(url !== undefined && { url }),
    ...(key !== undefined && { key }),
    ...(operatorKey !== undefined && { operatorKey }),
  };
}

/** Returns the address and the tenant's key. Throws a UsageError when one is missing. */
export function readTenantSettings(source: SettingsSource): Settings {
  const { url, key } = resolveSettings(source);
  if (url === undefined || key === undefined) throw notLoggedIn(url === undefined ? 'address' : 'key');
  return assertSettings({ url, key });
}

/** Returns the address and the operator's key. Throws a UsageError when one is missing. */
export function readOperatorSettings(source: SettingsSource): Settings {
  const { url, operatorKey } = resolveSettings(source);
  if (url === undefined || operatorKey === undefined) {
    throw new UsageError(
      `You are not logged in as an operator: no ${url === undefined ? 'address' : 'operator key'} is set.`,
      'Run partyline login --url <url> --key plop_..., or set PARTYLINE_URL and PARTYLINE_OPERATOR_KEY.',
    );
  }
  return assertSettings({ url, key: operatorKey });
}

/** Returns the settings. Throws a UsageError when the address or the key cannot be one. */
export function assertSettings({ url, key }: Settings): Settings {
  if (!/^https?:\/\//.test(url) || !URL.canParse(url))
    throw new UsageError(
      `The address ${url} is not a URL.`,
      'Use it with its scheme, such as https://api.example.com, in PARTYLINE_URL or with partyline login --url.',
    );
  if (!/^[!-~]+$/.test(key))
    throw new UsageError(
      'The key contains characters that a key cannot contain.',
      'Copy it again, without spaces and line breaks, and run partyline login --url <url> --key -.',
    );
  return { url, key };
}

export const notLoggedIn = (missing: 'address' | 'key'): UsageError =>
  new UsageError(
    `You are not logged in: no ${missing} is set.`,
    'Run partyline login --url <url> --key <key>, or set PARTYLINE_URL and PARTYLINE_KEY.',
  );

/**
 * Stores a key and returns the file's path. The other kind of key stays if it is for the same
 * address.
 */
export function saveSettings(
  source: SettingsSource,
  { url, ...keys }: StoredSettings & { readonly url: string },
): string {
  const file = settingsPath(source);
  const stored = loadSettings(source);
  const settings: StoredSettings = { ...(stored.url === url && stored), url, ...keys };
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  // `mode` applies only to a new file, and an existing one may be readable by others.
  rmSync(file, { force: true });
  writeFileSync(file, `${JSON.stringify(settings, null, 2)}\n`, { mode: 0o600 });
  chmodSync(file, 0o600);
  return file;
}

export const deleteSettings = (source: SettingsSource): void => rmSync(settingsPath(source), { force: true });
