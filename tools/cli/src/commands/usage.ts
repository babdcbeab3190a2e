import type { GetSpendData, GetUsageData, ListCdrsData } from '@partyline/sdk/types';
import { LIMIT_OPTION, type CommandSpec } from '../command.ts';
import { parseAmountOrNone } from '../fields.ts';

const CSV_OPTION = { '--csv': 'print everything as CSV' } as const;
const LIMIT_COLUMNS = ['scope', 'used', 'allowed', 'state'];

export const usage: readonly CommandSpec[] = [
  {
    usage: 'show',
    description: 'Sum the durations and prices of ended connections. Default: this month, by day.',
    operations: ['getUsage'],
    fields: { operation: 'getUsage', from: 'query' },
    options: CSV_OPTION,
    examples: ['usage show', 'usage show --group room,direction --csv'],
    async run({ io, out, client, fields }, _args, { csv = false }: { csv?: boolean }) {
      const query = fields<GetUsageData['query']>();
      if (csv) return io.out((await client().usage.csv(query)).trimEnd());
      const groups = (query.group ?? 'day').split(',').map((group) => (group === 'room' ? 'roomId' : group));
      out.table(
        (await client().usage.get(query)).rows,
        [...groups, 'records', 'seconds', 'price', 'estimateMicro'],
        'No usage.',
      );
      return undefined;
    },
  },
  {
    usage: 'records',
    description: 'List the call detail records: one for each handle of an ended connection.',
    operations: ['listCdrs'],
    fields: { operation: 'listCdrs', from: 'query' },
    options: { ...LIMIT_OPTION, ...CSV_OPTION },
    examples: ['usage records --limit 100 --json', 'usage records --csv > records.csv'],
    async run({ io, out, client, fields, pages }, _args, { csv = false }: { csv?: boolean }) {
      if (csv) return io.out((await client().usage.recordsCsv(fields<ListCdrsData['query']>())).trimEnd());
      out.ledger(
        await pages(client().usage.records),
        ['id', 'direction', 'side', 'endedAt', 'seconds', 'price'],
        'No records.',
      );
      return undefined;
    },
  },
  {
    usage: 'spend',
    description: 'Print the limits of spend and minutes, and their current use.',
    operations: ['getSpend'],
    fields: { operation: 'getSpend', from: 'query' },
    examples: ['usage spend', 'usage spend --room room_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client, fields }) {
      out.table((await client().usage.spend(fields<GetSpendData['query']>())).limits, LIMIT_COLUMNS, 'No limits.');
    },
  },
  {
    usage: 'limit <room> <amount>',
    description: 'Limit the total spend of a room, in your currency, such as 5.00; none removes the limit.',
    operations: ['limitRoomSpend'],
    inputs: { maxSpendMicro: '<amount>' },
    examples: ['usage limit room_3q2-7wAAQkV1bWJlclBhcn 5.00'],
    async run({ out, client }, [roomId = '', amount = '']) {
      out.table(
        (await client().usage.limitRoom(roomId, { maxSpendMicro: parseAmountOrNone(amount) })).limits,
        LIMIT_COLUMNS,
        'No limits.',
      );
    },
  },
];
