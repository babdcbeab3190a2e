import { first, LIMIT, shown, type Leaf } from '../command.ts';
import { defined } from './rooms.ts';

const COLUMNS = ['id', 'name', 'kind', 'role', 'state', 'muted', 'number'];

export const calls: readonly Leaf[] = [
  {
    usage: 'dial <room> <phone>',
    says: 'Ring a phone and bring it into a room.',
    options: { '--name <name>': 'the name on the roster' },
    examples: ['calls dial room_3q2-7wAAQkV1bWJlclBhcn +442079460018 --name Charles'],
    async run({ out, client }, [roomId = '', phone = ''], { name }: { name?: string }) {
      out.thing(await client().participants.dial(roomId, { phone, ...defined({ name }) }));
    },
  },
  {
    usage: 'list <session>',
    says: 'Every connection of a session, oldest first.',
    examples: ['calls list ses_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client }, [sessionId = '']) {
      out.table(
        (await client().sessions.legs(sessionId)).legs,
        ['id', 'kind', 'state', 'participantId', 'createdAt', 'endedAt', 'outcome', 'reason'],
        'No connections.',
      );
    },
  },
];

export const participants: readonly Leaf[] = [
  {
    usage: 'list <room>',
    says: 'See who is there, was, or is awaited.',
    options: LIMIT,
    examples: ['participants list room_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client }, [roomId = ''], options: { limit?: number }) {
      const { most, page } = shown(options);
      out.table(await first(client().participants.list(roomId, { limit: page }), most), COLUMNS, 'Nobody.');
    },
  },
  {
    usage: 'show <participant>',
    says: 'Look at one person.',
    examples: ['participants show part_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client }, [participantId = '']) {
      out.thing(await client().participants.get(participantId));
    },
  },
  {
    usage: 'kick <participant>',
    says: 'Send somebody out: they are hung up.',
    examples: ['participants kick part_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client }, [participantId = '']) {
      out.thing(await client().participants.remove(participantId));
    },
  },
  ...([true, false] as const).map((muted): Leaf => {
    const name = muted ? 'mute' : 'unmute';
    return {
      usage: `${name} <participant>`,
      says: muted ? 'Nobody hears them any more.' : 'They are heard again.',
      examples: [`participants ${name} part_3q2-7wAAQkV1bWJlclBhcn`],
      async run({ out, client }, [participantId = '']) {
        out.thing(await client().participants.mute(participantId, { muted }));
      },
    };
  }),
  {
    usage: 'keys <participant> <digits>',
    says: 'Play keys to somebody on the telephone.',
    examples: ['participants keys part_3q2-7wAAQkV1bWJlclBhcn 12#'],
    async run({ out, client }, [participantId = '', digits = '']) {
      out.thing(await client().participants.sendDigits(participantId, { digits }));
    },
  },
];
