import { first, LIMIT, shown, wholeNumber, type Leaf } from '../command.ts';

const COLUMNS = ['id', 'name', 'state', 'number', 'createdAt'];

export const rooms: readonly Leaf[] = [
  {
    usage: 'create <name>',
    says: 'Create a room, and print how to join it.',
    options: {
      '--number <number>': 'the dial-in number to use',
      '--external-id <id>': 'your own name for it',
      '--max-participants <n>': ['how many may be in it at once', wholeNumber],
      '--max-duration <seconds>': ['the longest that a session may run', wholeNumber],
      '--bridge <when>': 'auto or always',
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
      const made = await client().rooms.create({
        name,
        ...defined({ number, externalId, maxParticipants, maxDurationSeconds: maxDuration, bridge }),
      });
      out.thing(made, ['room.id', 'session.id', 'number', 'pinSpaced', 'hostPinSpaced', 'tapToCall', 'invitation']);
    },
  },
  {
    usage: 'list',
    says: 'List rooms, newest first.',
    options: { ...LIMIT, '--state <state>': 'active or ended' },
    examples: ['rooms list', 'rooms list --state active --limit 100 --json'],
    async run({ out, client }, _args, options: { limit?: number; state?: 'active' | 'ended' }) {
      const { most, page } = shown(options);
      out.table(
        await first(client().rooms.list({ limit: page, ...defined({ state: options.state }) }), most),
        COLUMNS,
        'No rooms.',
      );
    },
  },
  {
    usage: 'show <room>',
    says: 'Look at a room: its PIN, its session and every connection.',
    examples: ['rooms show room_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client }, [roomId = '']) {
      const found = await client().rooms.get(roomId);
      out.thing(found, [
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
          found.legs,
          ['id', 'kind', 'state', 'participantId', 'hangUp.owedAt', 'hangUp.confirmedAt'],
          'No connections.',
        );
    },
  },
  {
    usage: 'live <room>',
    says: 'Ask the provider itself which connections are up now.',
    examples: ['rooms live room_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client }, [roomId = '']) {
      out.table(
        (await client().rooms.observe(roomId)).legs,
        ['legId', 'kind', 'state', 'mediaUp', 'voiceUp'],
        'Nothing is up.',
      );
    },
  },
  {
    usage: 'update <room>',
    says: 'Change a room.',
    options: {
      '--name <name>': 'what it is called',
      '--max-participants <n>': ['how many may be in it at once', wholeNumber],
      '--if-version <n>': ['only if it still has this version', wholeNumber],
    },
    examples: ['rooms update room_3q2-7wAAQkV1bWJlclBhcn --name "Board meeting, moved"'],
    async run(
      { out, client },
      [roomId = ''],
      { name, maxParticipants, ifVersion }: { name?: string; maxParticipants?: number; ifVersion?: number },
    ) {
      out.thing(await client().rooms.update(roomId, defined({ name, maxParticipants }), defined({ ifVersion })), [
        ...COLUMNS,
        'version',
      ]);
    },
  },
  {
    usage: 'token <room> <name>',
    says: 'A token for one more browser.',
    examples: ['rooms token room_3q2-7wAAQkV1bWJlclBhcn Grace'],
    async run({ out, client }, [roomId = '', name = '']) {
      out.thing(await client().participants.token(roomId, { name }));
    },
  },
  {
    usage: 'end <room>',
    says: 'End a room for good: everybody is hung up, and its PIN lets nobody in.',
    examples: ['rooms end room_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client }, [roomId = '']) {
      out.thing(await client().rooms.end(roomId));
    },
  },
  {
    usage: 'delete <room>',
    says: 'End a room and take it off the list.',
    examples: ['rooms delete room_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client }, [roomId = '']) {
      out.thing(await client().rooms.delete(roomId));
    },
  },
];

/** Without what was not given. */
export const defined = <T extends object>(options: T): { [K in keyof T]?: NonNullable<T[K]> } =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: NonNullable<T[K]>;
  };
