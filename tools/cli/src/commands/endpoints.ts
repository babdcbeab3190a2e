import { LIMIT_OPTION, omitUndefined, pageOptions, takeFirst, type CommandSpec } from '../command.ts';
import type { PartylineEvent } from '@partyline/sdk/event';

const COLUMNS = ['id', 'url', 'enabled', 'types', 'failures', 'disabledReason'];

export const endpoints: readonly CommandSpec[] = [
  {
    usage: 'list',
    description: 'List the endpoints that receive events.',
    examples: ['endpoints list'],
    async run({ out, client }) {
      out.table((await client().endpoints.list()).endpoints, COLUMNS, 'No endpoints.');
    },
  },
  {
    usage: 'create <url>',
    description: 'Create an endpoint and print its signing secret. The secret cannot be read again.',
    options: {
      '--types <types>': 'only these event types, comma-separated',
      '--description <text>': 'a description for you',
    },
    examples: ['endpoints create https://example.com/events --types session.ended'],
    async run({ out, client }, [url = ''], { types, description }: { types?: string; description?: string }) {
      out.object(
        await client().endpoints.create({
          url,
          ...omitUndefined({ types: types?.split(',') as PartylineEvent['type'][] | undefined, description }),
        }),
        ['endpoint.id', 'endpoint.url', 'endpoint.types', 'secret'],
      );
    },
  },
  {
    usage: 'ping <endpoint>',
    description: 'Send a test event.',
    examples: ['endpoints ping ep_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client }, [endpointId = '']) {
      out.object(await client().endpoints.ping(endpointId));
    },
  },
  {
    usage: 'deliveries <endpoint>',
    description: 'List the deliveries of an endpoint, newest events first.',
    options: { ...LIMIT_OPTION, '--state <state>': 'pending, delivered, failed or all' },
    examples: ['endpoints deliveries ep_3q2-7wAAQkV1bWJlclBhcn --state failed'],
    async run(
      { out, client },
      [endpointId = ''],
      options: { limit?: number; state?: 'pending' | 'delivered' | 'failed' | 'all' },
    ) {
      const { limit, pageSize } = pageOptions(options);
      out.table(
        await takeFirst(
          client().endpoints.deliveries(endpointId, { limit: pageSize, ...omitUndefined({ state: options.state }) }),
          limit,
        ),
        ['id', 'eventId', 'type', 'state', 'attempts', 'nextTryAt'],
        'No deliveries.',
      );
    },
  },
  {
    usage: 'replay <endpoint> <since>',
    description: 'Send all events since a time (RFC 3339) again.',
    examples: ['endpoints replay ep_3q2-7wAAQkV1bWJlclBhcn 2026-05-04T09:30:00Z'],
    async run({ out, client }, [endpointId = '', since = '']) {
      out.object(await client().endpoints.replay(endpointId, { since }));
    },
  },
  {
    usage: 'rotate-secret <endpoint>',
    description: 'Create a new secret and print it once. The old secret also signs for 24 hours.',
    examples: ['endpoints rotate-secret ep_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client }, [endpointId = '']) {
      out.object(await client().endpoints.rotateSecret(endpointId), ['endpoint.id', 'secret']);
    },
  },
  {
    usage: 'delete <endpoint>',
    description: 'Delete an endpoint.',
    examples: ['endpoints delete ep_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client }, [endpointId = '']) {
      out.object(await client().endpoints.delete(endpointId));
    },
  },
];
