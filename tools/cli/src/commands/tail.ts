import type { Leaf } from '../command.ts';
import { defined } from './rooms.ts';
import type { PartylineEvent } from '@partyline/sdk/event';

export const tail: Leaf = {
  usage: 'tail',
  says: 'Follow events as they happen, until Ctrl-C. A connection that breaks is taken up where it was.',
  options: {
    '--after <event>': 'begin after this event instead of now',
    '--types <types>': 'only these, with commas between',
    '--room <room>': 'only those of this room',
    '--until <type>': 'end after the first event of this type',
  },
  examples: ['tail', 'tail --types session.ended,leg.ended --json'],
  async run(
    { io, out, client },
    _args,
    { after, types, room, until }: { after?: string; types?: string; room?: string; until?: string },
  ) {
    const wanted = types?.split(',') as PartylineEvent['type'][] | undefined;
    for await (const event of client().events.stream({
      ...defined({ after, types: wanted }),
      signal: io.interrupted,
    })) {
      if (room !== undefined && event.roomId !== room) continue;
      out.line(event, `${event.at}  ${event.type.padEnd(16)} ${event.sessionId ?? '–'}  ${JSON.stringify(event.data)}`);
      if (event.type === until) return;
    }
  },
};
