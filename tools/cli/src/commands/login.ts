import { Partyline } from '@partyline/sdk';
import { PartylineError } from '@partyline/sdk/error';
import type { CommandSpec } from '../command.ts';
import { UsageError } from '../exit-codes.ts';
import {
  assertSettings,
  deleteSettings,
  notLoggedIn,
  resolveSettings,
  saveSettings,
  trimTrailingSlashes,
} from '../settings.ts';

export const login: CommandSpec = {
  usage: 'login',
  description:
    'Store an address and a key for later commands, in a file that only you can read. ' +
    "A tenant's key and an operator's key can be stored together.",
  options: {
    '--url <url>': 'address of the API, such as https://api.example.com',
    '--key <key>': 'API key or operator key; - reads it from standard input and keeps it out of the shell history',
  },
  examples: ['login --url https://api.example.com --key -'],
  async run({ io, out }, _args, { url, key }: { url?: string; key?: string }) {
    if (url === undefined || key === undefined)
      throw new UsageError(
        'Both --url and --key are required.',
        'Run partyline login --url <url> --key -, and paste the key.',
      );
    const settings = assertSettings({
      url: trimTrailingSlashes(url),
      key: key === '-' ? (await io.readInput()).trim() : key,
    });
    const client = new Partyline({ baseUrl: settings.url, apiKey: settings.key });
    const isOperatorKey = settings.key.startsWith('plop_');
    // 403 means that the key is valid without the scope to list rooms.
    await (isOperatorKey ? client.operator.limits() : client.rooms.list({ limit: 1 }).page()).catch(
      (error: unknown) => {
        if (!(error instanceof PartylineError) || error.status !== 403) throw error;
      },
    );
    const file = saveSettings(io, {
      url: settings.url,
      ...(isOperatorKey ? { operatorKey: settings.key } : { key: settings.key }),
    });
    out.object({ url: settings.url, key: maskKey(settings.key), file });
  },
};

export const logout: CommandSpec = {
  usage: 'logout',
  description: 'Delete the stored address and keys.',
  examples: ['logout'],
  run({ io, out }) {
    deleteSettings(io);
    out.message('Logged out.');
  },
};

export const whoami: CommandSpec = {
  usage: 'whoami',
  description: 'Print the address and the keys in use, without their secrets.',
  examples: ['whoami'],
  run({ io, out }) {
    const { url, key, operatorKey } = resolveSettings(io);
    if (url === undefined || (key === undefined && operatorKey === undefined))
      throw notLoggedIn(url === undefined ? 'address' : 'key');
    out.object({
      url,
      ...(key !== undefined && { key: maskKey(key) }),
      ...(operatorKey !== undefined && { operatorKey: maskKey(operatorKey) }),
    });
  },
};

/** Replaces the secret part of a key. */
const maskKey = (key: string): string => key.replace(/^(pl_[a-z]+_[A-Za-z0-9]+_|plop_[A-Za-z0-9]+_).*$/, '$1...');
