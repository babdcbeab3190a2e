import type {
  ChangeEndpointData,
  CreateEndpointData,
  ListDeliveriesData,
  ReplayEventsData,
  RotateEndpointSecretData,
} from '@partyline/sdk/types';
import { LIMIT_OPTION, type CommandSpec } from '../command.ts';

const COLUMNS = ['id', 'url', 'enabled', 'types', 'failures', 'disabledReason'];

export const endpoints: readonly CommandSpec[] = [
  {
    usage: 'list',
    description: 'List the endpoints that receive events.',
    operations: ['listEndpoints'],
    examples: ['endpoints list'],
    async run({ out, client }) {
      out.table((await client().endpoints.list()).endpoints, COLUMNS, 'No endpoints.');
    },
  },
  {
    usage: 'show <endpoint>',
    description: 'Print an endpoint.',
    operations: ['getEndpoint'],
    examples: ['endpoints show ep_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client }, [endpointId = '']) {
      out.object(await client().endpoints.get(endpointId));
    },
  },
  {
    usage: 'create <url>',
    description: 'Create an endpoint and print its signing secret. The secret cannot be read again.',
    operations: ['createEndpoint'],
    fields: { operation: 'createEndpoint', omit: ['url'] },
    examples: ['endpoints create https://example.com/events --types session.ended'],
    async run({ out, client, fields }, [url = '']) {
      out.object(await client().endpoints.create({ url, ...fields<Omit<CreateEndpointData['body'], 'url'>>() }), [
        'endpoint.id',
        'endpoint.url',
        'endpoint.types',
        'secret',
      ]);
    },
  },
  {
    usage: 'update <endpoint>',
    description: 'Change an endpoint, or enable it again. Options that you omit stay unchanged.',
    operations: ['changeEndpoint'],
    fields: { operation: 'changeEndpoint' },
    examples: ['endpoints update ep_3q2-7wAAQkV1bWJlclBhcn --enabled yes'],
    async run({ out, client, fields }, [endpointId = '']) {
      out.object(await client().endpoints.change(endpointId, fields<ChangeEndpointData['body']>()));
    },
  },
  {
    usage: 'ping <endpoint>',
    description: 'Send a test event.',
    operations: ['pingEndpoint'],
    examples: ['endpoints ping ep_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client }, [endpointId = '']) {
      out.object(await client().endpoints.ping(endpointId));
    },
  },
  {
    usage: 'deliveries <endpoint>',
    description: 'List the deliveries of an endpoint, newest events first.',
    operations: ['listDeliveries'],
    fields: { operation: 'listDeliveries', from: 'query' },
    options: LIMIT_OPTION,
    examples: ['endpoints deliveries ep_3q2-7wAAQkV1bWJlclBhcn --state failed'],
    async run({ out, client, pages }, [endpointId = '']) {
      out.table(
        await pages((query: ListDeliveriesData['query']) => client().endpoints.deliveries(endpointId, query)),
        ['id', 'eventId', 'type', 'state', 'attempts', 'nextTryAt'],
        'No deliveries.',
      );
    },
  },
  {
    usage: 'replay <endpoint> [since]',
    description: 'Send all events since a time (RFC 3339) again, or the events of --event-ids.',
    operations: ['replayEvents'],
    fields: { operation: 'replayEvents', omit: ['since', 'after'] },
    examples: [
      'endpoints replay ep_3q2-7wAAQkV1bWJlclBhcn 2026-05-04T09:30:00Z',
      'endpoints replay ep_3q2-7wAAQkV1bWJlclBhcn --event-ids evt_3q2-7wAAQkV1bWJlclBhcn_4',
    ],
    async run({ out, client, fields }, [endpointId = '', since]) {
      let body = {
        ...(since !== undefined && { since }),
        ...fields<ReplayEventsData['body']>(),
      };
      // The API replays a limited number at a time.
      for (let replayed = 0; ;) {
        const reply = await client().endpoints.replay(endpointId, body);
        replayed += reply.replayed;
        if (reply.next === null) return out.object({ ...reply, replayed });
        body = { ...body, after: reply.next };
      }
    },
  },
  {
    usage: 'redeliver <delivery>',
    description: 'Send one delivery again.',
    operations: ['replayDelivery'],
    examples: ['endpoints redeliver dlv_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client }, [deliveryId = '']) {
      out.object(await client().endpoints.replayDelivery(deliveryId));
    },
  },
  {
    usage: 'rotate-secret <endpoint>',
    description: 'Create a new secret and print it once. The old secret also signs for 24 hours.',
    operations: ['rotateEndpointSecret'],
    fields: { operation: 'rotateEndpointSecret' },
    examples: ['endpoints rotate-secret ep_3q2-7wAAQkV1bWJlclBhcn --overlap 1h'],
    async run({ out, client, fields }, [endpointId = '']) {
      out.object(await client().endpoints.rotateSecret(endpointId, fields<RotateEndpointSecretData['body']>()), [
        'endpoint.id',
        'secret',
      ]);
    },
  },
  {
    usage: 'delete <endpoint>',
    description: 'Delete an endpoint.',
    operations: ['deleteEndpoint'],
    examples: ['endpoints delete ep_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client }, [endpointId = '']) {
      out.object(await client().endpoints.delete(endpointId));
    },
  },
];
