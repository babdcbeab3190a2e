import type { Rate, RateChange } from '@partyline/sdk/types';
import { first, LIMIT, shown, wholeNumber, type Leaf, type Options } from '../../command.ts';
import { UsageError } from '../../exit-codes.ts';
import { defined } from '../rooms.ts';

export const limits: readonly Leaf[] = [
  {
    usage: 'show',
    says: 'What every tenant may use that has no limit of its own.',
    examples: ['operator limits show'],
    async run({ out, operator }) {
      out.thing(await operator().limits());
    },
  },
  {
    usage: 'set',
    says: 'Change them; what is left out stays.',
    options: {
      '--max-rooms <n>': ['rooms that have not ended', wholeNumber],
      '--max-people <n>': ['people connected at once', wholeNumber],
      '--max-dial-outs <n>': ['people rung within a minute', wholeNumber],
      '--max-requests <n>': ['requests to the API in a minute', wholeNumber],
    },
    examples: ['operator limits set --max-people 200'],
    async run(
      { out, operator },
      _args,
      {
        maxRooms,
        maxPeople,
        maxDialOuts,
        maxRequests,
      }: { maxRooms?: number; maxPeople?: number; maxDialOuts?: number; maxRequests?: number },
    ) {
      out.thing(
        await operator().updateLimits(
          defined({
            maxLiveRooms: maxRooms,
            maxLiveLegs: maxPeople,
            maxDialOutsPerMinute: maxDialOuts,
            maxRequestsPerMinute: maxRequests,
          }),
        ),
      );
    },
  },
];

/** As many as the API takes at once. */
const AT_ONCE = 500;
const COLUMNS = ['what', 'prefix', 'currency', 'microPerMinute'];
const LINE = {
  '--prefix <prefix>': 'how the numbers begin, such as +4479; left out: all others',
  '--currency <currency>': 'default EUR',
} as const satisfies Options;
interface Line {
  prefix?: string;
  currency?: string;
}
type What = Rate['what'];

export const rates: readonly Leaf[] = [
  {
    usage: 'show',
    says: 'The price list: what a minute is taken to cost until the provider has said.',
    options: {
      ...LIMIT,
      '--what <what>': 'inbound, outbound, bridge-voice, bridge-media or webrtc',
      '--currency <currency>': 'only in this currency',
    },
    examples: ['operator rates show --what outbound --limit 1000'],
    async run({ out, operator }, _args, options: { limit?: number; what?: What; currency?: string }) {
      const { most, page } = shown(options);
      out.table(
        await first(
          operator().rates({ limit: page, ...defined({ what: options.what, currency: options.currency }) }),
          most,
        ),
        COLUMNS,
        'No rates: everything counts as 1.00 a minute.',
      );
    },
  },
  {
    usage: 'set <what> <micro>',
    says: 'Set a line of it: millionths of the currency’s unit for a minute.',
    options: LINE,
    examples: ['operator rates set outbound 12000 --prefix +4479'],
    async run({ out, operator }, [what = '', micro = ''], { prefix = '', currency = 'EUR' }: Line) {
      out.table(
        (await operator().updateRates({ rates: [{ what: what as What, prefix, currency, microPerMinute: micro }] }))
          .rates,
        COLUMNS,
        'Nothing.',
      );
    },
  },
  {
    usage: 'remove <what>',
    says: 'Take a line out.',
    options: LINE,
    examples: ['operator rates remove outbound --prefix +4479'],
    async run({ out, operator }, [what = ''], { prefix = '', currency = 'EUR' }: Line) {
      out.table(
        (await operator().updateRates({ rates: [{ what: what as What, prefix, currency, microPerMinute: null }] }))
          .rates,
        COLUMNS,
        'It is not in the list any more.',
      );
    },
  },
  {
    usage: 'load',
    says: 'Set many, from standard input: lines of what,prefix,currency,micro; without micro, the line is taken out. 500 at a time are set together.',
    examples: ['operator rates load < prices.csv'],
    async run({ io, out, operator }) {
      const wanted = linesIn(await io.readInput());
      const set: Rate[] = [];
      for (let at = 0; at < wanted.length; at += AT_ONCE)
        set.push(...(await operator().updateRates({ rates: wanted.slice(at, at + AT_ONCE) })).rates);
      out.table(set, COLUMNS, 'They are not in the list any more.');
    },
  },
];

function linesIn(text: string): RateChange[] {
  const lines = text
    .split(/\r?\n/)
    .map((line, at) => ({ cells: line.split(',').map((cell) => cell.trim()), no: at + 1 }));
  const given = lines.filter(({ cells, no }) => cells.join('') !== '' && !(no === 1 && cells[0] === 'what'));
  if (given.length === 0)
    throw new UsageError('Standard input holds no rates.', 'Give lines like outbound,+4479,EUR,12000.');
  return given.map(({ cells, no }) => {
    const [what = '', prefix = '', currency = '', micro = ''] = cells;
    if (cells.length !== 4)
      throw new UsageError(
        `Line ${no} has ${cells.length} fields instead of four.`,
        'Give lines like outbound,+4479,EUR,12000; nothing was set.',
      );
    return { what: what as What, prefix, currency, microPerMinute: micro === '' ? null : micro };
  });
}

export const audit: Leaf = {
  usage: 'audit',
  says: 'Who changed what, of all tenants and operators; newest first.',
  options: {
    ...LIMIT,
    '--tenant <tenant>': 'only what this tenant’s keys did, and operators did to it',
    '--operation <operation>': 'only this, such as suspendTenant',
  },
  examples: ['operator audit --limit 50'],
  async run({ out, operator }, _args, options: { limit?: number; tenant?: string; operation?: string }) {
    const { most, page } = shown(options);
    const query = { limit: page, ...defined({ tenantId: options.tenant, operation: options.operation }) };
    out.table(
      await first(operator().audit(query), most),
      ['at', 'tenantId', 'actor.kind', 'actor.id', 'operation', 'status', 'reason'],
      'Nothing was changed yet.',
    );
  },
};
