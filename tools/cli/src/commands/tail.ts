import { omitUndefined, type CommandSpec } from '../command.ts';
import type { PartylineEvent } from '@partyline/sdk/event';

export const tail: CommandSpec = {
  usage: 'tail',
  description: 'Print events as they happen, until Ctrl-C. Reconnects without losing events.',
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
      ...omitUndefined({ after, types: typeList }),
      signal: io.interrupted,
    })) {
      if (room !== undefined && event.roomId !== room) continue;
      out.line(event, `${event.at}  ${event.type.padEnd(16)} ${event.sessionId ?? '-'}  ${JSON.stringify(event.data)}`);
      if (event.type === until) return;
    }
  },
};
