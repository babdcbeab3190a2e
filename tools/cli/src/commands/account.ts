import { LIMIT_OPTION, omitUndefined, pageOptions, takeFirst, type CommandSpec } from '../command.ts';
import { UsageError } from '../exit-codes.ts';

const SCOPES = [
  'rooms:read',
  'rooms:write',
  'calls:write',
  'callers:read',
  'events:read',
  'keys:write',
  'admin',
] as const;
type Scope = (typeof SCOPES)[number];
/** The API validates the names. */
export const parseScopes = (text: string): Scope[] => text.split(',') as Scope[];

export const keys: readonly CommandSpec[] = [
  {
    usage: 'list',
    description: 'List API keys.',
    options: LIMIT_OPTION,
    examples: ['keys list'],
    async run({ out, client }, _args, options: { limit?: number }) {
      const { limit, pageSize } = pageOptions(options);
      out.table(
        await takeFirst(client().keys.list({ limit: pageSize }), limit),
        ['id', 'label', 'state', 'scopes', 'lastUsedAt', 'expiresAt'],
        'No keys.',
      );
    },
  },
  {
    usage: 'create <label>',
    description: 'Create a key and print it. The key cannot be read again.',
    options: {
      '--scopes <scopes>': `comma-separated: ${SCOPES.join(', ')}`,
      '--expires <time>': 'time of expiry, RFC 3339',
    },
    examples: ['keys create "Billing" --scopes rooms:read,events:read'],
    async run({ out, client }, [label = ''], { scopes = '', expires }: { scopes?: string; expires?: string }) {
      if (scopes === '')
        throw new UsageError(
          'A key needs at least one scope.',
          `Use --scopes with a comma-separated list of: ${SCOPES.join(', ')}.`,
        );
      out.object(
        await client().keys.create({ label, scopes: parseScopes(scopes), ...omitUndefined({ expiresAt: expires }) }),
        ['apiKey.id', 'apiKey.label', 'apiKey.scopes', 'key'],
      );
    },
  },
  {
    usage: 'rotate <key>',
    description: 'Create a successor and print it once. The old key stays valid for the overlap.',
    examples: ['keys rotate 3f2a1b0c9d8e'],
    async run({ out, client }, [keyId = '']) {
      out.object(await client().keys.rotate(keyId));
    },
  },
  {
    usage: 'revoke <key>',
    description: 'Revoke a key at once.',
    examples: ['keys revoke 3f2a1b0c9d8e'],
    async run({ out, client }, [keyId = '']) {
      out.object(await client().keys.revoke(keyId), ['id', 'label', 'state', 'revokedAt']);
    },
  },
];

export const limits: CommandSpec = {
  usage: 'limits',
  description: 'Print the limits and the current use.',
  examples: ['limits'],
  async run({ out, client }) {
    out.object(await client().account.limits());
  },
};

export const numbers: CommandSpec = {
  usage: 'numbers',
  description: 'List the dial-in numbers of your callers.',
  options: { '--country <country>': 'only numbers of this country, such as US' },
  examples: ['numbers', 'numbers --country US'],
  async run({ out, client }, _args, { country }: { country?: string }) {
    out.table(
      (await client().numbers.list(omitUndefined({ country }))).numbers,
      ['number', 'kind', 'country', 'language', 'tollFree'],
      'No numbers. Ask the operator to add one.',
    );
  },
};

export const audit: CommandSpec = {
  usage: 'audit',
  description: 'List the changes made by keys and operators, newest first.',
  options: LIMIT_OPTION,
  examples: ['audit --limit 50'],
  async run({ out, client }, _args, options: { limit?: number }) {
    const { limit, pageSize } = pageOptions(options);
    out.table(
      await takeFirst(client().account.audit({ limit: pageSize }), limit),
      ['at', 'actor.kind', 'actor.id', 'operation', 'status', 'reason'],
      'No changes.',
    );
  },
};
