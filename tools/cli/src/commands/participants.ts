import { LIMIT_OPTION, omitUndefined, pageOptions, takeFirst, type CommandSpec } from '../command.ts';

const COLUMNS = ['id', 'name', 'kind', 'role', 'state', 'muted', 'number'];

export const calls: readonly CommandSpec[] = [
  {
    usage: 'dial <room> <phone>',
    description: 'Dial out to a phone and connect it to a room.',
    options: { '--name <name>': 'name on the roster' },
    examples: ['calls dial room_3q2-7wAAQkV1bWJlclBhcn +442079460018 --name Charles'],
    async run({ out, client }, [roomId = '', phone = ''], { name }: { name?: string }) {
      out.object(await client().participants.dial(roomId, { phone, ...omitUndefined({ name }) }));
    },
  },
  {
    usage: 'list <session>',
    description: 'List the connections of a session, oldest first.',
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

export const participants: readonly CommandSpec[] = [
  {
    usage: 'list <room>',
    description: 'List the participants of a room: expected, connected and disconnected.',
    options: LIMIT_OPTION,
    examples: ['participants list room_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client }, [roomId = ''], options: { limit?: number }) {
      const { limit, pageSize } = pageOptions(options);
      out.table(
        await takeFirst(client().participants.list(roomId, { limit: pageSize }), limit),
        COLUMNS,
        'No participants.',
      );
    },
  },
  {
    usage: 'show <participant>',
    description: 'Print a participant.',
    examples: ['participants show part_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client }, [participantId = '']) {
      out.object(await client().participants.get(participantId));
    },
  },
  {
    usage: 'remove <participant>',
    description: 'Remove a participant and hang up the connection.',
    examples: ['participants remove part_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client }, [participantId = '']) {
      out.object(await client().participants.remove(participantId));
    },
  },
  ...([true, false] as const).map((muted): CommandSpec => {
    const name = muted ? 'mute' : 'unmute';
    return {
      usage: `${name} <participant>`,
      description: muted ? 'Mute a participant.' : 'Unmute a participant.',
      examples: [`participants ${name} part_3q2-7wAAQkV1bWJlclBhcn`],
      async run({ out, client }, [participantId = '']) {
        out.object(await client().participants.mute(participantId, { muted }));
      },
    };
  }),
  {
    usage: 'keys <participant> <digits>',
    description: 'Send DTMF digits to a participant on the phone.',
    examples: ['participants keys part_3q2-7wAAQkV1bWJlclBhcn 12#'],
    async run({ out, client }, [participantId = '', digits = '']) {
      out.object(await client().participants.sendDigits(participantId, { digits }));
    },
  },
];
