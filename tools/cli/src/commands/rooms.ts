import type { CreateRoomData, IssueTokenData, UpdateRoomData } from '@partyline/sdk/types';
import { LIMIT_OPTION, omitUndefined, type CommandSpec } from '../command.ts';
import { parseInteger } from '../fields.ts';

const COLUMNS = ['id', 'name', 'state', 'number', 'createdAt'];

export const rooms: readonly CommandSpec[] = [
  {
    usage: 'create <name>',
    description: 'Create a room and print how to join it.',
    operations: ['createRoom'],
    fields: { operation: 'createRoom', omit: ['name'] },
    examples: [
      'rooms create "Board meeting"',
      'rooms create "Board meeting" --max-duration 1h --wait-for-host yes',
      `rooms create "Sales" --number-wanted-country US --metadata '{"team":"sales"}' --json`,
    ],
    async run({ out, client, fields }, [name = '']) {
      out.object(await client().rooms.create({ name, ...fields<Omit<CreateRoomData['body'], 'name'>>() }), [
        'room.id',
        'session.id',
        'number',
        'pinSpaced',
        'hostPinSpaced',
        'tapToCall',
        'invitation',
      ]);
    },
  },
  {
    usage: 'list',
    description: 'List rooms, newest first.',
    operations: ['listRooms'],
    fields: { operation: 'listRooms', from: 'query' },
    options: LIMIT_OPTION,
    examples: ['rooms list', 'rooms list --state active --limit 100 --json'],
    async run({ out, client, pages }) {
      out.table(await pages(client().rooms.list), COLUMNS, 'No rooms.');
    },
  },
  {
    usage: 'show <room>',
    description: 'Print a room with its PINs, its settings, its session and its connections.',
    operations: ['getRoom'],
    examples: ['rooms show room_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client }, [roomId = '']) {
      const details = await client().rooms.get(roomId);
      out.object(details, ['room', 'session.id', 'session.state', 'pinSpaced', 'hostPinSpaced', 'tapToCall']);
      if (out.json) return;
      out.ledger(
        details.legs,
        ['id', 'kind', 'state', 'participantId', 'hangUp.requestedAt', 'hangUp.confirmedAt'],
        'No connections.',
      );
      out.noteCut(details.complete);
    },
  },
  {
    usage: 'live <room>',
    description: 'Look up at the provider which connections are live.',
    operations: ['observeRoom'],
    examples: ['rooms live room_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client }, [roomId = '']) {
      out.table(
        (await client().rooms.observe(roomId)).legs,
        ['legId', 'kind', 'state', 'mediaUp', 'voiceUp'],
        'No live connections.',
      );
    },
  },
  {
    usage: 'update <room>',
    description: 'Change a room. Options that you omit stay unchanged.',
    operations: ['updateRoom'],
    fields: { operation: 'updateRoom' },
    options: { '--if-version <n>': ['change only this version', parseInteger] },
    examples: [
      'rooms update room_3q2-7wAAQkV1bWJlclBhcn --name "Board meeting, moved"',
      'rooms update room_3q2-7wAAQkV1bWJlclBhcn --alone 5m --ends-at none',
    ],
    async run({ out, client, fields }, [roomId = ''], { ifVersion }: { ifVersion?: number }) {
      out.object(await client().rooms.update(roomId, fields<UpdateRoomData['body']>(), omitUndefined({ ifVersion })));
    },
  },
  {
    usage: 'token <room> <name>',
    description: 'Issue a token for another browser.',
    operations: ['issueToken'],
    fields: { operation: 'issueToken', omit: ['name'] },
    examples: ['rooms token room_3q2-7wAAQkV1bWJlclBhcn Grace --role host'],
    async run({ out, client, fields }, [roomId = '', name = '']) {
      out.object(
        await client().participants.token(roomId, { name, ...fields<Omit<IssueTokenData['body'], 'name'>>() }),
      );
    },
  },
  {
    usage: 'end <room>',
    description: 'End a room permanently: all connections are hung up and its PINs are rejected.',
    operations: ['endRoom'],
    examples: ['rooms end room_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client }, [roomId = '']) {
      out.object(await client().rooms.end(roomId));
    },
  },
  {
    usage: 'delete <room>',
    description: 'End a room and remove it from the list.',
    operations: ['deleteRoom'],
    examples: ['rooms delete room_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client }, [roomId = '']) {
      out.object(await client().rooms.delete(roomId));
    },
  },
];
