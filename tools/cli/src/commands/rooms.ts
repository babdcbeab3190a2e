import { LIMIT_OPTION, omitUndefined, pageOptions, parseInteger, takeFirst, type CommandSpec } from '../command.ts';

const COLUMNS = ['id', 'name', 'state', 'number', 'createdAt'];

export const rooms: readonly CommandSpec[] = [
  {
    usage: 'create <name>',
    description: 'Create a room and print how to join it.',
    options: {
      '--number <number>': 'dial-in number to use',
      '--external-id <id>': 'your own id for the room',
      '--max-participants <n>': ['maximum number of connected participants', parseInteger],
      '--max-duration <seconds>': ['maximum duration of a session', parseInteger],
      '--bridge <when>': 'when to open the bridge: auto or always',
    },
    examples: ['rooms create "Board meeting"', 'rooms create "Board meeting" --max-duration 3600 --json'],
    async run(
      { out, client },
      [name = ''],
      options: {
        number?: string;
        externalId?: string;
        maxParticipants?: number;
        maxDuration?: number;
        bridge?: 'auto' | 'always';
      },
    ) {
      const { number, externalId, maxParticipants, maxDuration, bridge } = options;
      const created = await client().rooms.create({
        name,
        ...omitUndefined({ number, externalId, maxParticipants, maxDurationSeconds: maxDuration, bridge }),
      });
      out.object(created, ['room.id', 'session.id', 'number', 'pinSpaced', 'hostPinSpaced', 'tapToCall', 'invitation']);
    },
  },
  {
    usage: 'list',
    description: 'List rooms, newest first.',
    options: { ...LIMIT_OPTION, '--state <state>': 'active or ended' },
    examples: ['rooms list', 'rooms list --state active --limit 100 --json'],
    async run({ out, client }, _args, options: { limit?: number; state?: 'active' | 'ended' }) {
      const { limit, pageSize } = pageOptions(options);
      out.table(
        await takeFirst(client().rooms.list({ limit: pageSize, ...omitUndefined({ state: options.state }) }), limit),
        COLUMNS,
        'No rooms.',
      );
    },
  },
  {
    usage: 'show <room>',
    description: 'Print a room with its PIN, its session and its connections.',
    examples: ['rooms show room_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client }, [roomId = '']) {
      const details = await client().rooms.get(roomId);
      out.object(details, [
        'room.id',
        'room.name',
        'room.state',
        'session.id',
        'session.state',
        'number',
        'pinSpaced',
        'tapToCall',
      ]);
      if (!out.json)
        out.table(
          details.legs,
          ['id', 'kind', 'state', 'participantId', 'hangUp.requestedAt', 'hangUp.confirmedAt'],
          'No connections.',
        );
    },
  },
  {
    usage: 'live <room>',
    description: 'Look up at the provider which connections are live.',
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
    description: 'Change a room.',
    options: {
      '--name <name>': 'new name',
      '--max-participants <n>': ['maximum number of connected participants', parseInteger],
      '--if-version <n>': ['change only this version', parseInteger],
    },
    examples: ['rooms update room_3q2-7wAAQkV1bWJlclBhcn --name "Board meeting, moved"'],
    async run(
      { out, client },
      [roomId = ''],
      { name, maxParticipants, ifVersion }: { name?: string; maxParticipants?: number; ifVersion?: number },
    ) {
      out.object(
        await client().rooms.update(roomId, omitUndefined({ name, maxParticipants }), omitUndefined({ ifVersion })),
        [...COLUMNS, 'version'],
      );
    },
  },
  {
    usage: 'token <room> <name>',
    description: 'Issue a token for another browser.',
    examples: ['rooms token room_3q2-7wAAQkV1bWJlclBhcn Grace'],
    async run({ out, client }, [roomId = '', name = '']) {
      out.object(await client().participants.token(roomId, { name }));
    },
  },
  {
    usage: 'end <room>',
    description: 'End a room permanently: all connections are hung up and its PINs are rejected.',
    examples: ['rooms end room_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client }, [roomId = '']) {
      out.object(await client().rooms.end(roomId));
    },
  },
  {
    usage: 'delete <room>',
    description: 'End a room and remove it from the list.',
    examples: ['rooms delete room_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client }, [roomId = '']) {
      out.object(await client().rooms.delete(roomId));
    },
  },
];
