import type { PartylineEvent } from '@partyline/sdk/event';
import type { CreateStreamTokenData, ListEventsData } from '@partyline/sdk/types';
import { LIMIT_OPTION, omitUndefined, type CommandSpec } from '../command.ts';

export const tail: CommandSpec = {
  usage: 'tail',
  description: 'Print events as they happen, until Ctrl-C. Reconnects without losing events.',
  operations: ['listEvents'],
  options: {
    '--after <event>': 'start after this event instead of now',
    '--types <types>': 'only these event types, comma-separated',
    '--room <room>': 'only events of this room',
    '--until <type>': 'exit after the first event of this type',
  },
  examples: ['tail', 'tail --types session.ended,leg.ended --json'],
  async run(
    { io, out, client },
    _args,
    { after, types, room, until }: { after?: string; types?: string; room?: string; until?: string },
  ) {
    const typeList = types?.split(',') as PartylineEvent['type'][] | undefined;
    for await (const event of client().events.stream({
      ...omitUndefined({ after, types: typeList, roomId: room }),
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
  fields: { operation: 'listEvents', from: 'query', omit: ['streamToken'] },
  inputs: { streamToken: 'PARTYLINE_KEY' },
  options: { ...LIMIT_OPTION, '--after <event>': 'only events after this one' },
  examples: ['events --types session.ended --limit 100'],
  async run({ out, client, pages }, _args, { after }: { after?: string }) {
    const listEvents = (query: ListEventsData['query']) =>
      client().events.list({ ...omitUndefined({ after }), ...query });
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
