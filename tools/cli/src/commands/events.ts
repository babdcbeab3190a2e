import type { PartylineEvent } from '@partyline/sdk/event';
import { OPERATIONS } from '@partyline/sdk/generated/operations.gen';
import type { CreateStreamTokenData, ListEventsData } from '@partyline/sdk/types';
import { LIMIT_OPTION, omitUndefined, type CommandSpec } from '../command.ts';
import { UsageError } from '../exit-codes.ts';
import { parseList } from '../fields.ts';

type EventType = PartylineEvent['type'];

const EVENT_TYPES = OPERATIONS.createStreamToken.body.find(({ name }) => name === 'types')!
  .values as readonly EventType[];
const parseEventTypes = (text: string): EventType[] => parseList(text, EVENT_TYPES);
const parseEventType = (text: string): EventType => parseList(text, EVENT_TYPES)[0]!;
/** What sets the fields of the list and the stream of events. */
const INPUTS = { types: '--types', roomId: '--room', after: '--after', streamToken: 'PARTYLINE_KEY' } as const;

export const tail: CommandSpec = {
  usage: 'tail',
  description: 'Print events as they happen, until Ctrl-C. Reconnects without losing events.',
  operations: ['listEvents'],
  inputs: INPUTS,
  options: {
    '--after <event>': 'start after this event instead of now; start: with the oldest event',
    '--types <types>': ['only these event types, comma-separated', parseEventTypes],
    '--room <room>': 'only events of this room',
    '--until <type>': ['exit after the first event of this type', parseEventType],
  },
  examples: ['tail', 'tail --types session.ended,leg.ended --json'],
  async run(
    { io, out, client },
    _args,
    { after, types, room, until }: { after?: string; types?: EventType[]; room?: string; until?: EventType },
  ) {
    if (until !== undefined && types?.includes(until) === false)
      throw new UsageError(
        `--types leaves out ${until}, the type of --until.`,
        `Use --types ${types.join()},${until}.`,
      );
    for await (const event of client().events.stream({
      ...omitUndefined({ after, types, roomId: room }),
      signal: io.interrupted,
    })) {
      out.event(event);
      if (event.type === until) return;
    }
  },
};

export const events: CommandSpec = {
  usage: 'events',
  description: 'List past events, oldest first.',
  operations: ['listEvents'],
  fields: { operation: 'listEvents', from: 'query', omit: ['types', 'streamToken'] },
  inputs: INPUTS,
  options: {
    ...LIMIT_OPTION,
    '--types <types>': ['only these event types, comma-separated', parseEventTypes],
    '--after <event>': 'only events after this one; start: all',
  },
  examples: ['events --types session.ended --limit 100'],
  async run({ out, client, pages }, _args, { after, types }: { after?: string; types?: EventType[] }) {
    const start = omitUndefined({ after: after === 'start' ? undefined : after, types: types?.join() });
    const listEvents = (query: ListEventsData['query']) => client().events.list({ ...start, ...query });
    out.events((await pages(listEvents)) as PartylineEvent[]);
  },
};

export const streamToken: CommandSpec = {
  usage: 'stream-token',
  description:
    'Create a short-lived token, with which a browser, or a command with it as PARTYLINE_KEY, follows events.',
  operations: ['createStreamToken'],
  fields: { operation: 'createStreamToken' },
  examples: ['stream-token --types session.live,session.ended --expires-in 5m'],
  async run({ out, client, fields }) {
    out.object(await client().events.createStreamToken(fields<CreateStreamTokenData['body']>()));
  },
};
