import { first, LIMIT, shown, type Leaf } from '../command.ts';
import { defined } from './rooms.ts';

export const usage: readonly Leaf[] = [
  {
    usage: 'show',
    says: 'Seconds and money of connections that are over, this month unless you say when.',
    options: {
      '--by <groups>': 'day, room, number, direction, or some with commas between (default day)',
      '--from <time>': 'from this moment on, RFC 3339',
      '--to <time>': 'before this moment',
    },
    examples: ['usage show', 'usage show --by room,direction --json'],
    async run({ out, client }, _args, { by, from, to }: { by?: string; from?: string; to?: string }) {
      const { rows } = await client().usage.get(defined({ group: by, from, to }));
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
        'Nothing was used.',
      );
    },
  },
  {
    usage: 'records',
    says: 'A record for each side of each connection that is over.',
    options: { ...LIMIT, '--room <room>': 'only of this room', '--session <session>': 'only of this session' },
    examples: ['usage records --limit 100 --json'],
    async run({ out, client }, _args, options: { limit?: number; room?: string; session?: string }) {
      const { most, page } = shown(options);
      out.table(
        await first(
          client().usage.records({ limit: page, ...defined({ roomId: options.room, sessionId: options.session }) }),
          most,
        ),
        ['id', 'direction', 'side', 'endedAt', 'seconds', 'priceMicro', 'currency'],
        'No records.',
      );
    },
  },
  {
    usage: 'spend',
    says: 'Limits of money and minutes, and how much of each is used now.',
    options: { '--room <room>': 'with the limit of this room' },
    examples: ['usage spend'],
    async run({ out, client }, _args, { room }: { room?: string }) {
      out.table(
        (await client().usage.spend(defined({ roomId: room }))).limits,
        ['scope', 'used', 'allowed', 'currency', 'state'],
        'Nothing has a limit.',
      );
    },
  },
  {
    usage: 'limit <room> <micro>',
    says: 'What a room may cost, ever, in millionths of the currency’s unit; none takes the limit away.',
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
