import type { Rate, RateChange } from '@partyline/sdk/types';
import {
  LIMIT_OPTION,
  omitUndefined,
  pageOptions,
  parseInteger,
  takeFirst,
  type CommandSpec,
  type OptionSpecs,
} from '../../command.ts';
import { UsageError } from '../../exit-codes.ts';

export const limits: readonly CommandSpec[] = [
  {
    usage: 'show',
    description: 'Print the limits of tenants without limits of their own.',
    examples: ['operator limits show'],
    async run({ out, operator }) {
      out.object(await operator().limits());
    },
  },
  {
    usage: 'set',
    description: 'Change these limits. Options that you omit stay unchanged.',
    options: {
      '--max-rooms <n>': ['active rooms', parseInteger],
      '--max-legs <n>': ['live connections', parseInteger],
      '--max-dial-outs <n>': ['calls dialled out per minute', parseInteger],
      '--max-requests <n>': ['API requests per minute', parseInteger],
    },
    examples: ['operator limits set --max-legs 200'],
    async run(
      { out, operator },
      _args,
      {
        maxRooms,
        maxLegs,
        maxDialOuts,
        maxRequests,
      }: { maxRooms?: number; maxLegs?: number; maxDialOuts?: number; maxRequests?: number },
    ) {
      out.object(
        await operator().updateLimits(
          omitUndefined({
            maxLiveRooms: maxRooms,
            maxLiveLegs: maxLegs,
            maxDialOutsPerMinute: maxDialOuts,
            maxRequestsPerMinute: maxRequests,
          }),
        ),
      );
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
interface RateOptions {
  prefix?: string;
  currency?: string;
}
type RateKind = Rate['what'];

export const rates: readonly CommandSpec[] = [
  {
    usage: 'show',
    description: 'List the rates: estimated prices per minute until the provider reports the actual price.',
    options: {
      ...LIMIT_OPTION,
      '--what <what>': 'inbound, outbound, bridge-voice, bridge-media or webrtc',
      '--currency <currency>': 'only rates in this currency',
    },
    examples: ['operator rates show --what outbound --limit 1000'],
    async run({ out, operator }, _args, options: { limit?: number; what?: RateKind; currency?: string }) {
      const { limit, pageSize } = pageOptions(options);
      out.table(
        await takeFirst(
          operator().rates({ limit: pageSize, ...omitUndefined({ what: options.what, currency: options.currency }) }),
          limit,
        ),
        COLUMNS,
        'No rates. Every minute is estimated at 1.00.',
      );
    },
  },
  {
    usage: 'set <what> <micro>',
    description: 'Set a rate, in millionths of the currency unit per minute.',
    options: RATE_OPTIONS,
    examples: ['operator rates set outbound 12000 --prefix +4479'],
    async run({ out, operator }, [what = '', micro = ''], { prefix = '', currency = 'EUR' }: RateOptions) {
      out.table(
        (await operator().updateRates({ rates: [{ what: what as RateKind, prefix, currency, microPerMinute: micro }] }))
          .rates,
        COLUMNS,
        'No rates.',
      );
    },
  },
  {
    usage: 'remove <what>',
    description: 'Remove a rate.',
    options: RATE_OPTIONS,
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
      'Set rates from standard input, as lines of what,prefix,currency,micro. A line without micro removes the rate. ' +
      `Each ${MAX_RATES_PER_REQUEST} lines are set in one transaction.`,
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
    throw new UsageError('Standard input has no rates.', 'Use lines such as outbound,+4479,EUR,12000.');
  return rows.map(({ cells, no }) => {
    const [what = '', prefix = '', currency = '', micro = ''] = cells;
    if (cells.length !== 4)
      throw new UsageError(
        `Line ${no} has ${cells.length} fields instead of 4.`,
        'Use lines such as outbound,+4479,EUR,12000. No rate was changed.',
      );
    return { what: what as RateKind, prefix, currency, microPerMinute: micro === '' ? null : micro };
  });
}

export const audit: CommandSpec = {
  usage: 'audit',
  description: 'List the changes made by all tenants and operators, newest first.',
  options: {
    ...LIMIT_OPTION,
    '--tenant <tenant>': "only changes by this tenant's keys, and by operators to this tenant",
    '--operation <operation>': 'only this operation, such as suspendTenant',
  },
  examples: ['operator audit --limit 50'],
  async run({ out, operator }, _args, options: { limit?: number; tenant?: string; operation?: string }) {
    const { limit, pageSize } = pageOptions(options);
    const query = { limit: pageSize, ...omitUndefined({ tenantId: options.tenant, operation: options.operation }) };
    out.table(
      await takeFirst(operator().audit(query), limit),
      ['at', 'tenantId', 'actor.kind', 'actor.id', 'operation', 'status', 'reason'],
      'No changes.',
    );
  },
};
