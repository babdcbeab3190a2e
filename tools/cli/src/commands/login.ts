import { Partyline } from '@partyline/sdk';
import { PartylineError } from '@partyline/sdk/error';
import type { Leaf } from '../command.ts';
import { UsageError } from '../exit-codes.ts';
import { forgetSettings, knownSettings, storeSettings, withoutSlash } from '../settings.ts';

export const login: Leaf = {
  usage: 'login',
  says: 'Keep an address and a key for later commands, in a file that only you can read. A tenant’s key and an operator’s can be kept side by side.',
  options: {
    '--url <url>': 'where the API is, https://…',
    '--key <key>': 'the API key, or an operator’s; - reads it from standard input, so that it stands in no history',
  },
  examples: ['login --url https://api.example.com --key -'],
  async run({ io, out }, _args, { url, key }: { url?: string; key?: string }) {
    if (url === undefined || key === undefined)
      throw new UsageError(
        'Both --url and --key are needed.',
        'Run partyline login --url https://… --key -, and paste the key.',
      );
    const settings = { url: withoutSlash(url), key: key === '-' ? (await io.readInput()).trim() : key };
    const client = new Partyline({ baseUrl: settings.url, apiKey: settings.key });
    const operator = settings.key.startsWith('plop_');
    // A key that may not list rooms is a good one all the same.
    await (operator ? client.operator.limits() : client.rooms.list({ limit: 1 }).page()).catch((error: unknown) => {
      if (!(error instanceof PartylineError) || error.status !== 403) throw error;
    });
    const file = storeSettings(io, {
      url: settings.url,
      ...(operator ? { operatorKey: settings.key } : { key: settings.key }),
    });
    out.thing({ url: settings.url, key: masked(settings.key), file });
  },
};

export const logout: Leaf = {
  usage: 'logout',
  says: 'Forget the address and the keys.',
  examples: ['logout'],
  run({ io, out }) {
    forgetSettings(io);
    out.say('Forgotten.');
  },
};

export const whoami: Leaf = {
  usage: 'whoami',
  says: 'Show which address and keys are used.',
  examples: ['whoami'],
  run({ io, out }) {
    const { url, key, operatorKey } = knownSettings(io);
    if (url === undefined || (key === undefined && operatorKey === undefined))
      throw new UsageError(
        `You are not logged in: no ${url === undefined ? 'address' : 'key'} is known.`,
        'Run partyline login --url … --key …, or set PARTYLINE_URL and PARTYLINE_KEY.',
      );
    out.thing({
      url,
      ...(key !== undefined && { key: masked(key) }),
      ...(operatorKey !== undefined && { operatorKey: masked(operatorKey) }),
    });
  },
};

/** All but the secret. */
const masked = (key: string): string => key.replace(/^(pl_[a-z]+_[A-Za-z0-9]+_|plop_[A-Za-z0-9]+_).*$/, '$1…');
