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
const settingsFile = ({ env, home }: Pick<Io, 'env' | 'home'>): string =>
  env['PARTYLINE_CONFIG'] ?? join(env['XDG_CONFIG_HOME'] ?? join(home, '.config'), 'partyline', 'config.json');

/** What is kept: a tenant's key, an operator's, or both of one address. */
interface Kept {
  readonly url?: string;
  readonly key?: string;
  readonly operatorKey?: string;
}
type World = Pick<Io, 'env' | 'home'>;

/** An address as it is kept and compared. */
export const withoutSlash = (url: string): string => url.replace(/\/+$/, '');

/** What was stored at the last login, if anything. */
function storedSettings(io: World): Kept {
  const file = settingsFile(io);
  if (!existsSync(file)) return {};
  try {
    const { url, key, operatorKey } = JSON.parse(readFileSync(file, 'utf8')) as Kept;
    return {
      ...(typeof url === 'string' && { url }),
      ...(typeof key === 'string' && { key }),
      ...(typeof operatorKey === 'string' && { operatorKey }),
    };
  } catch {
    throw new UsageError(`${file} cannot be read.`, 'Delete it and run partyline login again.');
  }
}

/** The environment's, or what was stored. A stored key goes to the address that it was stored for and to no other. */
export function knownSettings(io: World): Kept {
  const { PARTYLINE_URL: url, PARTYLINE_KEY: key, PARTYLINE_OPERATOR_KEY: operatorKey } = io.env;
  const stored = storedSettings(io);
  const kept = url === undefined || withoutSlash(url) === stored.url ? stored : {};
  return {
    ...kept,
    ...(url !== undefined && { url }),
    ...(key !== undefined && { key }),
    ...(operatorKey !== undefined && { operatorKey }),
  };
}

/** Whom to ask, as a tenant. Throws a UsageError when that is not known. */
export function readSettings(io: World): Settings {
  const { url, key } = knownSettings(io);
  if (url === undefined || key === undefined)
    throw new UsageError(
      `You are not logged in: no ${url === undefined ? 'address' : 'key'} is known.`,
      'Run partyline login --url … --key …, or set PARTYLINE_URL and PARTYLINE_KEY.',
    );
  return { url, key };
}

/** The same as an operator. */
export function readOperatorSettings(io: World): Settings {
  const { url, operatorKey } = knownSettings(io);
  if (url === undefined || operatorKey === undefined) {
    throw new UsageError(
      `You are not logged in as an operator: no ${url === undefined ? 'address' : 'operator’s key'} is known.`,
      'Run partyline login --url … --key plop_…, or set PARTYLINE_URL and PARTYLINE_OPERATOR_KEY.',
    );
  }
  return { url, key: operatorKey };
}

/** Keeps a key beside the other side's, if that is of the same address. Readable by its owner alone, from the first byte on. */
export function storeSettings(io: World, { url, ...key }: Kept & { readonly url: string }): string {
  const file = settingsFile(io);
  const before = storedSettings(io);
  const kept: Kept = { ...(before.url === url && before), url, ...key };
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  // Its mode is set only when it is made: one that others could read must not stay so.
  rmSync(file, { force: true });
  writeFileSync(file, `${JSON.stringify(kept, null, 2)}\n`, { mode: 0o600 });
  chmodSync(file, 0o600);
  return file;
}

export const forgetSettings = (io: World): void => rmSync(settingsFile(io), { force: true });
