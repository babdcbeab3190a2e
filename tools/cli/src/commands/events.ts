import { styleText } from 'node:util';
import type { PartylineEvent } from '@partyline/sdk/event';
import type { CreateStreamTokenData, ListEventsData } from '@partyline/sdk/types';
import { LIMIT_OPTION, omitUndefined, pageOptions, takeFirst, type CommandSpec } from '../command.ts';
import type { Io } from '../io.ts';
import { formatValue, labelOf } from '../values.ts';

const TYPE_WIDTH = 18;

/** Formats an event for people: time, type, what it is about, and its details. */
export function formatEvent(event: PartylineEvent, { hasColour }: Pick<Io, 'hasColour'>): string {
  const style = (format: 'dim' | 'cyan', text: string): string =>
    hasColour ? styleText(format, text, { validateStream: false }) : text;
  // Ids of participants and legs stay out: `--json` has them, and people know names.
  const details = Object.entries(event.data as Record<string, unknown>)
    .filter(([name, value]) => !name.endsWith('Id') && value !== null && typeof value !== 'object')
    .map(
      ([path, value]) =>
        `${labelOf(path).toLowerCase()} ${formatValue({ path, value, owner: event.data }, { hasColour, now: 0, isLong: true })}`,
    );
  const time = new Date(event.at).toLocaleTimeString('en-GB');
  const subject = event.sessionId ?? event.roomId ?? '';
  return [style('dim', time), style('cyan', event.type.padEnd(TYPE_WIDTH)), subject, details.join(', ')]
    .filter((part) => part !== '')
    .join('  ');
}

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
      ...omitUndefined({ after, types: typeList }),
      signal: io.interrupted,
    })) {
      if (room !== undefined && event.roomId !== room) continue;
      out.line(event, formatEvent(event, io));
      if (event.type === until) return;
    }
  },
};

export const events: CommandSpec = {
  usage: 'events',
  description: 'List past events, oldest first.',
  operations: ['listEvents'],
  fields: { operation: 'listEvents', from: 'query' },
  options: { ...LIMIT_OPTION, '--after <event>': 'only events after this one' },
  examples: ['events --types session.ended --limit 100'],
  async run({ io, out, client, fields }, _args, options: { limit?: number; after?: string }) {
    const { limit, pageSize } = pageOptions(options);
    const query = {
      limit: pageSize,
      ...omitUndefined({ after: options.after }),
      ...fields<ListEventsData['query']>(),
    };
    const found = await takeFirst(client().events.list(query), limit);
    if (out.json) return io.out(JSON.stringify(found, null, 2));
    if (found.length === 0) return io.out('No events.');
    for (const event of found) io.out(formatEvent(event as PartylineEvent, io));
    return undefined;
  },
};

export const streamToken: CommandSpec = {
  usage: 'stream-token',
  description: 'Create a short-lived token, with which a browser follows events.',
  operations: ['createStreamToken'],
  fields: { operation: 'createStreamToken' },
  examples: ['stream-token --types session.live,session.ended --expires-in 5m'],
  async run({ out, client, fields }) {
    out.object(await client().events.createStreamToken(fields<CreateStreamTokenData['body']>()));
  },
};
