import type { AddParticipantData, ListParticipantsData, UpdateParticipantData } from '@partyline/sdk/types';
import { LIMIT_OPTION, type CommandSpec } from '../command.ts';

const COLUMNS = ['id', 'name', 'kind', 'role', 'state', 'reason', 'muted', 'number'];

export const calls: readonly CommandSpec[] = [
  {
    usage: 'dial <room> <phone>',
    description: 'Dial out to a phone and connect it to a room.',
    operations: ['addParticipant'],
    fields: { operation: 'addParticipant', omit: ['phone'] },
    examples: ['calls dial room_3q2-7wAAQkV1bWJlclBhcn +442079460018 --name Charles'],
    async run({ out, client, fields }, [roomId = '', phone = '']) {
      out.object(
        await client().participants.dial(roomId, { phone, ...fields<Omit<AddParticipantData['body'], 'phone'>>() }),
      );
    },
  },
  {
    usage: 'list <session>',
    description: 'List the connections of a session, oldest first.',
    operations: ['listSessionLegs'],
    examples: ['calls list ses_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client }, [sessionId = '']) {
      const { legs, complete } = await client().sessions.legs(sessionId);
      out.ledger(
        legs,
        ['id', 'kind', 'state', 'participantId', 'createdAt', 'endedAt', 'outcome', 'reason'],
        'No connections.',
      );
      out.noteCut(complete);
    },
  },
];

export const participants: readonly CommandSpec[] = [
  {
    usage: 'list <room>',
    description: 'List the participants of a room: invited, connected and ended.',
    operations: ['listParticipants'],
    options: LIMIT_OPTION,
    examples: ['participants list room_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client, pages }, [roomId = '']) {
      out.table(
        await pages((query: ListParticipantsData['query']) => client().participants.list(roomId, query)),
        COLUMNS,
        'No participants.',
      );
    },
  },
  {
    usage: 'show <participant>',
    description: 'Print a participant.',
    operations: ['getParticipant'],
    examples: ['participants show part_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client }, [participantId = '']) {
      out.object(await client().participants.get(participantId));
    },
  },
  {
    usage: 'update <participant>',
    description: 'Change a participant, such as the name on the roster.',
    operations: ['updateParticipant'],
    fields: { operation: 'updateParticipant' },
    examples: ['participants update part_3q2-7wAAQkV1bWJlclBhcn --name "Ada Lovelace"'],
    async run({ out, client, fields }, [participantId = '']) {
      out.object(await client().participants.update(participantId, fields<UpdateParticipantData['body']>()));
    },
  },
  {
    usage: 'remove <participant>',
    description: 'Remove a participant and hang up the connection.',
    operations: ['removeParticipant'],
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
      operations: ['muteParticipant'],
      inputs: { muted: name },
      examples: [`participants ${name} part_3q2-7wAAQkV1bWJlclBhcn`],
      async run({ out, client }, [participantId = '']) {
        out.object(await client().participants.mute(participantId, { muted }));
      },
    };
  }),
  {
    usage: 'keys <participant> <digits>',
    description: 'Send DTMF digits to a participant on the phone.',
    operations: ['sendDigits'],
    examples: ['participants keys part_3q2-7wAAQkV1bWJlclBhcn 12#'],
    async run({ out, client }, [participantId = '', digits = '']) {
      out.object(await client().participants.sendDigits(participantId, { digits }));
    },
  },
];
