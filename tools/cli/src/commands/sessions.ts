import { LIMIT_OPTION, omitUndefined, pageOptions, takeFirst, type CommandSpec } from '../command.ts';

export const sessions: readonly CommandSpec[] = [
  {
    usage: 'list',
    description: 'List sessions, newest first.',
    options: {
      ...LIMIT_OPTION,
      '--room <room>': 'only sessions of this room',
      '--state <state>': 'open, live, ending or ended',
    },
    examples: ['sessions list --state live'],
    async run(
      { out, client },
      _args,
      options: { limit?: number; room?: string; state?: 'open' | 'live' | 'ending' | 'ended' },
    ) {
      const { limit, pageSize } = pageOptions(options);
      out.table(
        await takeFirst(
          client().sessions.list({ limit: pageSize, ...omitUndefined({ roomId: options.room, state: options.state }) }),
          limit,
        ),
        ['id', 'roomId', 'state', 'createdAt', 'endedAt', 'endReason'],
        'No sessions.',
      );
    },
  },
  {
    usage: 'timeline <session>',
    description: 'Print the events, attempts and observations of a session in order.',
    examples: ['sessions timeline ses_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client }, [sessionId = '']) {
      out.table((await client().sessions.timeline(sessionId)).items, ['at', 'source', 'what', 'legId'], 'No entries.');
    },
  },
  {
    usage: 'end <session>',
    description: 'End a session. The room stays active.',
    examples: ['sessions end ses_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client }, [sessionId = '']) {
      out.object(await client().sessions.end(sessionId));
    },
  },
];

export const hangUps: CommandSpec = {
  usage: 'hang-ups [session]',
  description: 'Print the hang-up ledger: when each hang-up was requested and confirmed.',
  options: {
    ...LIMIT_OPTION,
    '--state <state>': 'unconfirmed, confirmed or all (default unconfirmed); not with a session',
  },
  examples: ['hang-ups', 'hang-ups --state all --limit 100 --json', 'hang-ups ses_3q2-7wAAQkV1bWJlclBhcn'],
  async run({ out, client }, [sessionId], options: { limit?: number; state?: 'unconfirmed' | 'confirmed' | 'all' }) {
    const { limit, pageSize } = pageOptions(options);
    const entries =
      sessionId === undefined
        ? await takeFirst(client().hangUps.list({ limit: pageSize, state: options.state ?? 'unconfirmed' }), limit)
        : (await client().sessions.hangUps(sessionId)).hangUps;
    out.table(
      entries,
      ['legId', 'kind', 'requestedAt', 'reason', 'attemptCount', 'confirmedAt', 'confirmedBy.source'],
      sessionId === undefined ? 'No hang-ups. All requested hang-ups are confirmed.' : 'No hang-ups.',
    );
  },
};
