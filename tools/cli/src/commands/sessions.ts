import type { ListHangUpsData } from '@partyline/sdk/types';
import type { PartylineEvent } from '@partyline/sdk/event';
import { LIMIT_OPTION, type CommandSpec } from '../command.ts';

export const sessions: readonly CommandSpec[] = [
  {
    usage: 'list',
    description: 'List sessions, newest first.',
    operations: ['listSessions'],
    fields: { operation: 'listSessions', from: 'query' },
    options: LIMIT_OPTION,
    examples: ['sessions list --state live'],
    async run({ out, client, pages }) {
      out.table(
        await pages(client().sessions.list),
        ['id', 'roomId', 'state', 'createdAt', 'endedAt', 'endReason'],
        'No sessions.',
      );
    },
  },
  {
    usage: 'show <session>',
    description: 'Print a session.',
    operations: ['getSession'],
    examples: ['sessions show ses_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client }, [sessionId = '']) {
      out.object(await client().sessions.get(sessionId));
    },
  },
  {
    usage: 'events <session>',
    description: 'List the events of a session, oldest first.',
    operations: ['listSessionEvents'],
    examples: ['sessions events ses_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client }, [sessionId = '']) {
      const { events, complete } = await client().sessions.events(sessionId);
      out.events(events as PartylineEvent[]);
      out.noteCut(complete);
    },
  },
  {
    usage: 'callers <session>',
    description: 'List the full phone numbers of a session. Needs the scope callers:read, and is audited.',
    operations: ['listSessionCallers'],
    examples: ['sessions callers ses_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client }, [sessionId = '']) {
      const { callers, complete } = await client().sessions.callers(sessionId);
      out.table(callers, ['participantId', 'legId', 'kind', 'number'], 'No callers.');
      out.noteCut(complete);
    },
  },
  {
    usage: 'timeline <session>',
    description: 'Print the events, attempts and observations of a session in order.',
    operations: ['readTimeline'],
    examples: ['sessions timeline ses_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client }, [sessionId = '']) {
      const { items, complete, eventsGone } = await client().sessions.timeline(sessionId);
      out.ledger(items, ['at', 'source', 'what', 'legId'], 'No entries.');
      out.noteCut(complete);
      if (eventsGone > 0) out.message(`${eventsGone} events are missing: events are kept for 30 days.`);
    },
  },
  {
    usage: 'end <session>',
    description: 'End a session. The room stays active.',
    operations: ['endSession'],
    examples: ['sessions end ses_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client }, [sessionId = '']) {
      out.object(await client().sessions.end(sessionId));
    },
  },
];

export const hangUps: CommandSpec = {
  usage: 'hang-ups [session]',
  description:
    'Print the hang-up ledger: when each hang-up was requested and confirmed. Without a session: the unconfirmed ones.',
  operations: ['listHangUps', 'listSessionHangUps'],
  fields: { operation: 'listHangUps', from: 'query' },
  options: LIMIT_OPTION,
  examples: ['hang-ups', 'hang-ups --state all --limit 100 --json', 'hang-ups ses_3q2-7wAAQkV1bWJlclBhcn'],
  async run({ out, client, pages }, [sessionId]) {
    const listHangUps = (query: ListHangUpsData['query']) => client().hangUps.list({ state: 'unconfirmed', ...query });
    const { hangUps: entries, complete } =
      sessionId === undefined
        ? { hangUps: await pages(listHangUps), complete: true }
        : await client().sessions.hangUps(sessionId);
    out.ledger(
      entries,
      ['legId', 'kind', 'requestedAt', 'reason', 'attemptCount', 'confirmedAt', 'confirmedBy.source'],
      sessionId === undefined ? 'No hang-ups. All requested hang-ups are confirmed.' : 'No hang-ups.',
    );
    out.noteCut(complete);
  },
};
