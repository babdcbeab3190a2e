import { LIMIT_OPTION, omitUndefined, pageOptions, takeFirst, type CommandSpec } from '../command.ts';

export const usage: readonly CommandSpec[] = [
  {
    usage: 'show',
    description: 'Sum the seconds and prices of ended connections. Default: this month.',
    options: {
      '--by <groups>': 'day, room, number, direction, or several comma-separated (default day)',
      '--from <time>': 'start of the period, RFC 3339',
      '--to <time>': 'end of the period, exclusive, RFC 3339',
    },
    examples: ['usage show', 'usage show --by room,direction --json'],
    async run({ out, client }, _args, { by, from, to }: { by?: string; from?: string; to?: string }) {
      const { rows } = await client().usage.get(omitUndefined({ group: by, from, to }));
      out.table(
        rows,
        [
          ...(by ?? 'day').split(',').map((group) => (group === 'room' ? 'roomId' : group)),
          'records',
          'seconds',
          'priceMicro',
          'estimateMicro',
          'currency',
        ],
        'No usage.',
      );
    },
  },
  {
    usage: 'records',
    description: 'List the call detail records: one for each handle of an ended connection.',
    options: {
      ...LIMIT_OPTION,
      '--room <room>': 'only records of this room',
      '--session <session>': 'only records of this session',
    },
    examples: ['usage records --limit 100 --json'],
    async run({ out, client }, _args, options: { limit?: number; room?: string; session?: string }) {
      const { limit, pageSize } = pageOptions(options);
      out.table(
        await takeFirst(
          client().usage.records({
            limit: pageSize,
            ...omitUndefined({ roomId: options.room, sessionId: options.session }),
          }),
          limit,
        ),
        ['id', 'direction', 'side', 'endedAt', 'seconds', 'priceMicro', 'currency'],
        'No records.',
      );
    },
  },
  {
    usage: 'spend',
    description: 'Print the limits of spend and minutes, and their current use.',
    options: { '--room <room>': 'include the limit of this room' },
    examples: ['usage spend'],
    async run({ out, client }, _args, { room }: { room?: string }) {
      out.table(
        (await client().usage.spend(omitUndefined({ roomId: room }))).limits,
        ['scope', 'used', 'allowed', 'currency', 'state'],
        'No limits.',
      );
    },
  },
  {
    usage: 'limit <room> <micro>',
    description: 'Limit the total spend of a room, in millionths of the currency unit; none removes the limit.',
    examples: ['usage limit room_3q2-7wAAQkV1bWJlclBhcn 5000000'],
    async run({ out, client }, [roomId = '', micro = '']) {
      out.table(
        (await client().usage.limitRoom(roomId, { maxSpendMicro: micro === 'none' ? null : micro })).limits,
        ['scope', 'used', 'allowed', 'currency', 'state'],
        'The room has no limit.',
      );
    },
  },
];
