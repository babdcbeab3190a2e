import type { CreateKeyData, ListNumbersData, RotateKeyData } from '@partyline/sdk/types';
import { LIMIT_OPTION, type CommandSpec } from '../command.ts';
import { UsageError } from '../exit-codes.ts';
import { labelOf } from '../values.ts';

const KEY_FIELDS = ['apiKey.id', 'apiKey.label', 'apiKey.scopes', 'apiKey.expiresAt', 'key'];

export const keys: readonly CommandSpec[] = [
  {
    usage: 'list',
    description: 'List API keys.',
    operations: ['listKeys'],
    options: LIMIT_OPTION,
    examples: ['keys list'],
    async run({ out, client, pages }) {
      out.table(
        await pages(client().keys.list),
        ['id', 'label', 'state', 'scopes', 'lastUsedAt', 'expiresAt'],
        'No keys.',
      );
    },
  },
  {
    usage: 'show <key>',
    description: 'Print a key by its id, without its secret.',
    operations: ['getKey'],
    examples: ['keys show 3f2a1b0c9d8e'],
    async run({ out, client }, [keyId = '']) {
      out.object(await client().keys.get(keyId));
    },
  },
  {
    usage: 'create <label>',
    description: 'Create a key and print it. The key cannot be read again.',
    operations: ['createKey'],
    fields: { operation: 'createKey', omit: ['label'] },
    examples: ['keys create "Billing" --scopes rooms:read,events:read'],
    async run({ out, client, fields }, [label = '']) {
      const given = fields<Omit<CreateKeyData['body'], 'label'>>();
      if (given.scopes === undefined)
        throw new UsageError(
          'A key needs at least one scope.',
          'Use --scopes, such as --scopes rooms:read,events:read.',
        );
      out.object(await client().keys.create({ label, ...given }), KEY_FIELDS);
    },
  },
  {
    usage: 'rotate <key>',
    description: 'Create a successor and print it once. The old key stays valid for the overlap.',
    operations: ['rotateKey'],
    fields: { operation: 'rotateKey' },
    examples: ['keys rotate 3f2a1b0c9d8e --overlap 1h'],
    async run({ out, client, fields }, [keyId = '']) {
      out.object(await client().keys.rotate(keyId, fields<RotateKeyData['body']>()), [
        ...KEY_FIELDS,
        'old.id',
        'old.expiresAt',
      ]);
    },
  },
  {
    usage: 'revoke <key>',
    description: 'Revoke a key at once.',
    operations: ['revokeKey'],
    examples: ['keys revoke 3f2a1b0c9d8e'],
    async run({ out, client }, [keyId = '']) {
      out.object(await client().keys.revoke(keyId), ['id', 'label', 'state', 'revokedAt']);
    },
  },
];

export const limits: CommandSpec = {
  usage: 'limits',
  description: 'Print the limits and the current use.',
  operations: ['getLimits'],
  examples: ['limits'],
  async run({ out, client }) {
    const current = await client().account.limits();
    if (out.json) return out.object(current);
    const rows = Object.entries(current).map(([what, { limit, used }]) => ({ what: labelOf(what), used, limit }));
    return out.table(rows, ['what', 'used', 'limit'], 'No limits.');
  },
};

export const numbers: CommandSpec = {
  usage: 'numbers',
  description: 'List the dial-in numbers that callers can use.',
  operations: ['listNumbers'],
  fields: { operation: 'listNumbers', from: 'query' },
  examples: ['numbers', 'numbers --country US --toll-free yes'],
  async run({ out, client, fields }) {
    out.table(
      (await client().numbers.list(fields<ListNumbersData['query']>())).numbers,
      ['number', 'kind', 'country', 'language', 'tollFree'],
      'No numbers. Ask the operator to add one.',
    );
  },
};

export const audit: CommandSpec = {
  usage: 'audit',
  description: 'List the changes made by keys and operators, newest first.',
  operations: ['listAudit'],
  fields: { operation: 'listAudit', from: 'query' },
  options: LIMIT_OPTION,
  examples: ['audit --limit 50', 'audit --operation createRoom --from 2026-05-04T00:00:00Z'],
  async run({ out, client, pages }) {
    out.ledger(
      await pages(client().account.audit),
      ['at', 'actor.kind', 'actor.id', 'operation', 'reason'],
      'No changes.',
    );
  },
};
