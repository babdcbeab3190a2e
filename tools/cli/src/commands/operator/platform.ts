import type { Rate, RateChange, UpdatePlatformLimitsData } from '@partyline/sdk/types';
import { LIMIT_OPTION, type CommandSpec, type OptionSpecs } from '../../command.ts';
import { UsageError } from '../../exit-codes.ts';
import { parseAmount, parseAmountOrNone } from '../../fields.ts';

export const limits: readonly CommandSpec[] = [
  {
    usage: 'show',
    description: 'Print the limits of tenants without limits of their own.',
    operations: ['getPlatformLimits'],
    examples: ['operator limits show'],
    async run({ out, operator }) {
      out.object(await operator().limits());
    },
  },
  {
    usage: 'set',
    description: 'Change these limits. Options that you omit stay unchanged.',
    operations: ['updatePlatformLimits'],
    fields: { operation: 'updatePlatformLimits' },
    examples: ['operator limits set --max-live-legs 200'],
    async run({ out, operator, fields }) {
      out.object(await operator().updateLimits(fields<UpdatePlatformLimitsData['body']>()));
    },
  },
];

/** The API accepts this many in one request. */
const MAX_RATES_PER_REQUEST = 500;
const COLUMNS = ['what', 'prefix', 'currency', 'microPerMinute'];
const RATE_OPTIONS = {
  '--prefix <prefix>': 'first digits of the number, such as +4479 (default: all other numbers)',
  '--currency <currency>': 'currency (default EUR)',
} as const satisfies OptionSpecs;
const RATE_INPUTS = {
  rates: 'the rate',
  prefix: '--prefix',
  currency: '--currency',
  microPerMinute: '<price>',
} as const;
interface RateOptions {
  prefix?: string;
  currency?: string;
}
type RateKind = Rate['what'];

export const rates: readonly CommandSpec[] = [
  {
    usage: 'show',
    description: 'List the rates: estimated prices per minute until the provider reports the actual price.',
    operations: ['listRates'],
    fields: { operation: 'listRates', from: 'query' },
    options: LIMIT_OPTION,
    examples: ['operator rates show --what outbound --limit 1000'],
    async run({ out, operator, pages }) {
      out.table(await pages(operator().rates), COLUMNS, 'No rates. Every minute is estimated at 1.00.');
    },
  },
  {
    usage: 'set <what> <price>',
    description: 'Set a rate: the price per minute, such as 0.012.',
    options: RATE_OPTIONS,
    inputs: RATE_INPUTS,
    operations: ['updateRates'],
    examples: ['operator rates set outbound 0.012 --prefix +4479'],
    async run({ out, operator }, [what = '', price = ''], { prefix = '', currency = 'EUR' }: RateOptions) {
      out.table(
        (
          await operator().updateRates({
            rates: [{ what: what as RateKind, prefix, currency, microPerMinute: parseAmountOrNone(price) }],
          })
        ).rates,
        COLUMNS,
        'No rates.',
      );
    },
  },
  {
    usage: 'remove <what>',
    description: 'Remove a rate.',
    options: RATE_OPTIONS,
    inputs: RATE_INPUTS,
    operations: ['updateRates'],
    examples: ['operator rates remove outbound --prefix +4479'],
    async run({ out, operator }, [what = ''], { prefix = '', currency = 'EUR' }: RateOptions) {
      out.table(
        (await operator().updateRates({ rates: [{ what: what as RateKind, prefix, currency, microPerMinute: null }] }))
          .rates,
        COLUMNS,
        'The rate is removed.',
      );
    },
  },
  {
    usage: 'load',
    description:
      'Set rates from standard input, as lines of what,prefix,currency,price. A line without a price removes the rate. ' +
      `Each ${MAX_RATES_PER_REQUEST} lines are set in one transaction.`,
    operations: ['updateRates'],
    examples: ['operator rates load < prices.csv'],
    async run({ io, out, operator }) {
      const changes = parseRates(await io.readInput());
      const updated: Rate[] = [];
      for (let at = 0; at < changes.length; at += MAX_RATES_PER_REQUEST)
        updated.push(...(await operator().updateRates({ rates: changes.slice(at, at + MAX_RATES_PER_REQUEST) })).rates);
      out.table(updated, COLUMNS, 'The rates are removed.');
    },
  },
];

function parseRates(text: string): RateChange[] {
  const lines = text
    .split(/\r?\n/)
    .map((line, at) => ({ cells: line.split(',').map((cell) => cell.trim()), no: at + 1 }));
  const rows = lines.filter(({ cells, no }) => cells.join('') !== '' && !(no === 1 && cells[0] === 'what'));
  if (rows.length === 0)
    throw new UsageError('Standard input has no rates.', 'Use lines such as outbound,+4479,EUR,0.012.');
  return rows.map(({ cells, no }) => {
    const [what = '', prefix = '', currency = '', price = ''] = cells;
    if (cells.length !== 4)
      throw new UsageError(
        `Line ${no} has ${cells.length} fields instead of 4.`,
        'Use lines such as outbound,+4479,EUR,0.012. No rate was changed.',
      );
    try {
      return { what: what as RateKind, prefix, currency, microPerMinute: price === '' ? null : parseAmount(price) };
    } catch {
      throw new UsageError(
        `Line ${no} has the price ${price}.`,
        'Use prices per minute such as 0.012, with at most six decimals. No rate was changed.',
      );
    }
  });
}

export const audit: CommandSpec = {
  usage: 'audit',
  description: 'List the changes made by all tenants and operators, newest first.',
  operations: ['listAuditOfAll'],
  fields: { operation: 'listAuditOfAll', from: 'query' },
  options: LIMIT_OPTION,
  examples: ['operator audit --limit 50'],
  async run({ out, operator, pages }) {
    out.ledger(
      await pages(operator().audit),
      ['at', 'tenantId', 'actor.kind', 'actor.id', 'operation', 'reason'],
      'No changes.',
    );
  },
};
