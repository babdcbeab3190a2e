import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { UsageError } from './exit-codes.ts';
import type { Io } from './io.ts';

/** Whom to ask, and as whom. */
export interface Settings {
  readonly url: string;
  readonly key: string;
}

/** Where they are kept: `$PARTYLINE_CONFIG`, or config.json in the user's own configuration folder. */
export const settingsFile = ({ env, home }: Pick<Io, 'env' | 'home'>): string => env['PARTYLINE_CONFIG'] ?? join(env['XDG_CONFIG_HOME'] ?? join(home, '.config'), 'partyline', 'config.json');

/** What was stored at the last login, if anything. */
export function storedSettings(io: Pick<Io, 'env' | 'home'>): Partial<Settings> {
  const file = settingsFile(io);
  if (!existsSync(file)) return {};
  try {
    const { url, key } = JSON.parse(readFileSync(file, 'utf8')) as Partial<Settings>;
    return { ...(typeof url === 'string' && { url }), ...(typeof key === 'string' && { key }) };
  } catch {
    throw new UsageError(`${file} cannot be read.`, 'Delete it and run partyline login again.');
  }
}

/** The environment's, or what was stored. Throws a UsageError when there is neither. */
export function readSettings(io: Pick<Io, 'env' | 'home'>): Settings {
  const stored = storedSettings(io);
  const url = io.env['PARTYLINE_URL'] ?? stored.url;
  const key = io.env['PARTYLINE_KEY'] ?? stored.key;
  if (url === undefined || key === undefined) throw new UsageError(`You are not logged in: no ${url === undefined ? 'address' : 'key'} is known.`, 'Run partyline login --url … --key …, or set PARTYLINE_URL and PARTYLINE_KEY.');
  return { url, key };
}

/** Readable by its owner alone, from the first byte on. */
export function storeSettings(io: Pick<Io, 'env' | 'home'>, settings: Settings): string {
  const file = settingsFile(io);
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  // Its mode is set only when it is made: one that others could read must not stay so.
  rmSync(file, { force: true });
  writeFileSync(file, `${JSON.stringify(settings, null, 2)}\n`, { mode: 0o600 });
  chmodSync(file, 0o600);
  return file;
}

export const forgetSettings = (io: Pick<Io, 'env' | 'home'>): void => rmSync(settingsFile(io), { force: true });
