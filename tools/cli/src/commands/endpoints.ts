import { first, LIMIT, shown, type Leaf } from '../command.ts';
import { defined } from './rooms.ts';
import type { PartylineEvent } from '@partyline/sdk/event';

const COLUMNS = ['id', 'url', 'enabled', 'types', 'failures', 'disabledReason'];

export const endpoints: readonly Leaf[] = [
  {
    usage: 'list',
    says: 'List the addresses that events are sent to.',
    examples: ['endpoints list'],
    async run({ out, client }) {
      out.table((await client().endpoints.list()).endpoints, COLUMNS, 'None: events are only to be read.');
    },
  },
  {
    usage: 'create <url>',
    says: 'Have events sent to an address, and show the secret that they are signed with, this once.',
    options: { '--types <types>': 'only these, with commas between', '--description <text>': 'what it is for' },
    examples: ['endpoints create https://example.com/events --types session.ended'],
    async run({ out, client }, [url = ''], { types, description }: { types?: string; description?: string }) {
      out.thing(
        await client().endpoints.create({
          url,
          ...defined({ types: types?.split(',') as PartylineEvent['type'][] | undefined, description }),
        }),
        ['endpoint.id', 'endpoint.url', 'endpoint.types', 'secret'],
      );
    },
  },
  {
    usage: 'ping <endpoint>',
    says: 'Send a test event.',
    examples: ['endpoints ping ep_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client }, [endpointId = '']) {
      out.thing(await client().endpoints.ping(endpointId));
    },
  },
  {
    usage: 'deliveries <endpoint>',
    says: 'See what was and is to be sent, the newest events first.',
    options: { ...LIMIT, '--state <state>': 'pending, delivered, failed or all' },
    examples: ['endpoints deliveries ep_3q2-7wAAQkV1bWJlclBhcn --state failed'],
    async run(
      { out, client },
      [endpointId = ''],
      options: { limit?: number; state?: 'pending' | 'delivered' | 'failed' | 'all' },
    ) {
      const { most, page } = shown(options);
      out.table(
        await first(
          client().endpoints.deliveries(endpointId, { limit: page, ...defined({ state: options.state }) }),
          most,
        ),
        ['id', 'eventId', 'type', 'state', 'attempts', 'nextTryAt'],
        'Nothing was sent yet.',
      );
    },
  },
  {
    usage: 'replay <endpoint> <since>',
    says: 'Send the events of a time again.',
    examples: ['endpoints replay ep_3q2-7wAAQkV1bWJlclBhcn 2026-05-04T09:30:00Z'],
    async run({ out, client }, [endpointId = '', since = '']) {
      out.thing(await client().endpoints.replay(endpointId, { since }));
    },
  },
  {
    usage: 'rotate-secret <endpoint>',
    says: 'Make a new secret and show it, this once; the old one signs too for a day.',
    examples: ['endpoints rotate-secret ep_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client }, [endpointId = '']) {
      out.thing(await client().endpoints.rotateSecret(endpointId), ['endpoint.id', 'secret']);
    },
  },
  {
    usage: 'delete <endpoint>',
    says: 'Nothing more is sent to it.',
    examples: ['endpoints delete ep_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client }, [endpointId = '']) {
      out.thing(await client().endpoints.delete(endpointId));
    },
  },
];
