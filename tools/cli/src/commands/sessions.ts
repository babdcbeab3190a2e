import { first, LIMIT, shown, type Leaf } from '../command.ts';
import { defined } from './rooms.ts';

export const sessions: readonly Leaf[] = [
  {
    usage: 'list',
    says: 'List sessions, newest first.',
    options: { ...LIMIT, '--room <room>': 'only those of this room', '--state <state>': 'open, live, ending or ended' },
    examples: ['sessions list --state live'],
    async run(
      { out, client },
      _args,
      options: { limit?: number; room?: string; state?: 'open' | 'live' | 'ending' | 'ended' },
    ) {
      const { most, page } = shown(options);
      out.table(
        await first(
          client().sessions.list({ limit: page, ...defined({ roomId: options.room, state: options.state }) }),
          most,
        ),
        ['id', 'roomId', 'state', 'createdAt', 'endedAt', 'endReason'],
        'No sessions.',
      );
    },
  },
  {
    usage: 'timeline <session>',
    says: 'All that happened in a session, in the order of time.',
    examples: ['sessions timeline ses_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client }, [sessionId = '']) {
      out.table((await client().sessions.timeline(sessionId)).items, ['at', 'source', 'what', 'legId'], 'Nothing.');
    },
  },
  {
    usage: 'end <session>',
    says: 'End this meeting; the room stays.',
    examples: ['sessions end ses_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client }, [sessionId = '']) {
      out.thing(await client().sessions.end(sessionId));
    },
  },
];

export const hangUps: Leaf = {
  usage: 'hang-ups [session]',
  says: 'The hang-up ledger: which connections are owed a hang-up, and when each was confirmed.',
  options: { ...LIMIT, '--state <state>': 'unconfirmed, confirmed or all (default unconfirmed); without a session' },
  examples: ['hang-ups', 'hang-ups --state all --limit 100 --json', 'hang-ups ses_3q2-7wAAQkV1bWJlclBhcn'],
  async run({ out, client }, [sessionId], options: { limit?: number; state?: 'unconfirmed' | 'confirmed' | 'all' }) {
    const { most, page } = shown(options);
    const lines =
      sessionId === undefined
        ? await first(client().hangUps.list({ limit: page, state: options.state ?? 'unconfirmed' }), most)
        : (await client().sessions.hangUps(sessionId)).hangUps;
    out.table(
      lines,
      ['legId', 'kind', 'owedAt', 'reason', 'asks', 'confirmedAt', 'confirmedBy.source'],
      sessionId === undefined ? 'None: everything that was owed a hang-up is confirmed down.' : 'None.',
    );
  },
};
