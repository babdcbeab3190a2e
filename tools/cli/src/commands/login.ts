import { Partyline } from '@partyline/sdk';
import { PartylineError } from '@partyline/sdk/error';
import type { Leaf } from '../command.ts';
import { UsageError } from '../exit-codes.ts';
import { forgetSettings, readSettings, storeSettings } from '../settings.ts';

export const login: Leaf = {
  usage: 'login',
  says: 'Keep an address and a key for later commands, in a file that only you can read.',
  options: { '--url <url>': 'where the API is, https://…', '--key <key>': 'the API key; - reads it from standard input, so that it stands in no history' },
  examples: ['login --url https://api.example.com --key -'],
  async run({ io, out }, _args, { url, key }: { url?: string; key?: string }) {
    if (url === undefined || key === undefined) throw new UsageError('Both --url and --key are needed.', 'Run partyline login --url https://… --key -, and paste the key.');
    const settings = { url: url.replace(/\/+$/, ''), key: key === '-' ? (await io.readInput()).trim() : key };
    // A key that may not list rooms is a good one all the same.
    await new Partyline({ baseUrl: settings.url, apiKey: settings.key }).rooms.list({ limit: 1 }).page().catch((error: unknown) => {
      if (!(error instanceof PartylineError) || error.status !== 403) throw error;
    });
    const file = storeSettings(io, settings);
    out.thing({ url: settings.url, key: masked(settings.key), file });
  },
};

export const logout: Leaf = {
  usage: 'logout',
  says: 'Forget the address and the key.',
  examples: ['logout'],
  run({ io, out }) {
    forgetSettings(io);
    out.say('Forgotten.');
  },
};

export const whoami: Leaf = {
  usage: 'whoami',
  says: 'Show which address and key are used.',
  examples: ['whoami'],
  run({ io, out }) {
    const { url, key } = readSettings(io);
    out.thing({ url, key: masked(key) });
  },
};

/** All but the secret. */
const masked = (key: string): string => key.replace(/^(pl_[a-z]+_[A-Za-z0-9]+_).*$/, '$1…');
