import { first, LIMIT, shown, type Leaf } from '../command.ts';
import { UsageError } from '../exit-codes.ts';
import { defined } from './rooms.ts';

const SCOPES = ['rooms:read', 'rooms:write', 'calls:write', 'events:read', 'keys:write', 'admin'] as const;
type Scope = (typeof SCOPES)[number];
/** Which there are, the API says. */
export const scopesIn = (text: string): Scope[] => text.split(',') as Scope[];

export const keys: readonly Leaf[] = [
  {
    usage: 'list',
    says: 'List API keys.',
    options: LIMIT,
    examples: ['keys list'],
    async run({ out, client }, _args, options: { limit?: number }) {
      const { most, page } = shown(options);
      out.table(
        await first(client().keys.list({ limit: page }), most),
        ['id', 'label', 'state', 'scopes', 'lastUsedAt', 'expiresAt'],
        'No keys.',
      );
    },
  },
  {
    usage: 'create <label>',
    says: 'Make a key, and show it this once.',
    options: {
      '--scopes <scopes>': `with commas between: ${SCOPES.join(', ')}`,
      '--expires <time>': 'when it stops being good, RFC 3339',
    },
    examples: ['keys create "Billing" --scopes rooms:read,events:read'],
    async run({ out, client }, [label = ''], { scopes = '', expires }: { scopes?: string; expires?: string }) {
      if (scopes === '')
        throw new UsageError(
          'A key without scopes can do nothing.',
          `Give --scopes, with commas between: ${SCOPES.join(', ')}.`,
        );
      out.thing(await client().keys.create({ label, scopes: scopesIn(scopes), ...defined({ expiresAt: expires }) }), [
        'apiKey.id',
        'apiKey.label',
        'apiKey.scopes',
        'key',
      ]);
    },
  },
  {
    usage: 'rotate <key>',
    says: 'Make a key’s successor, and show it this once; the old one holds for a while.',
    examples: ['keys rotate 3f2a1b0c9d8e'],
    async run({ out, client }, [keyId = '']) {
      out.thing(await client().keys.rotate(keyId));
    },
  },
  {
    usage: 'revoke <key>',
    says: 'It opens nothing any more, at once.',
    examples: ['keys revoke 3f2a1b0c9d8e'],
    async run({ out, client }, [keyId = '']) {
      out.thing(await client().keys.revoke(keyId), ['id', 'label', 'state', 'revokedAt']);
    },
  },
];

export const limits: Leaf = {
  usage: 'limits',
  says: 'How much you may use, and use now.',
  examples: ['limits'],
  async run({ out, client }) {
    out.thing(await client().account.limits());
  },
};

export const numbers: Leaf = {
  usage: 'numbers',
  says: 'The numbers that your callers may dial.',
  options: { '--country <country>': 'only of this country, such as US' },
  examples: ['numbers', 'numbers --country US'],
  async run({ out, client }, _args, { country }: { country?: string }) {
    out.table(
      (await client().numbers.list(defined({ country }))).numbers,
      ['number', 'kind', 'country', 'language', 'tollFree'],
      'No numbers: an operator must add one.',
    );
  },
};

export const audit: Leaf = {
  usage: 'audit',
  says: 'Who changed what, and when; newest first.',
  options: LIMIT,
  examples: ['audit --limit 50'],
  async run({ out, client }, _args, options: { limit?: number }) {
    const { most, page } = shown(options);
    out.table(
      await first(client().account.audit({ limit: page }), most),
      ['at', 'actor.kind', 'actor.id', 'operation', 'status', 'reason'],
      'Nothing was changed yet.',
    );
  },
};
