import { z } from 'zod';
import { eventTypes } from '../events/events.ts';
import { id, instant, ONE_LINE, page } from '../fields.ts';

const url = z
  .string('must be a URL')
  .max(2_000, 'must have at most 2000 characters')
  .meta({
    description:
      'Where events are sent: https, a host that can be reached from the open internet, port 443, 80 or 8443. At most 2000 characters.',
    examples: ['https://example.com/events'],
  });
const description = z
  .string()
  .max(200, 'must have at most 200 characters')
  .regex(...ONE_LINE)
  .meta({ description: 'What it is for. At most 200 characters, one line.', examples: ['Billing'] });
const types = z
  .array(eventTypes)
  .max(50, 'must name no type twice')
  .refine((list) => new Set(list).size === list.length, 'must name no type twice')
  .meta({ description: 'The types of events that it wants; none: all.', examples: [['session.ended', 'leg.ended']] });
const enabled = z
  .boolean('must be true or false')
  .meta({ description: 'Whether events are sent to it.', examples: [true] });

/** The body of `POST /v1/endpoints`. */
export const CreateEndpoint = z
  .strictObject({ url, description: description.default(''), types: types.default([]), enabled: enabled.default(true) })
  .meta({ id: 'CreateEndpoint', description: 'An endpoint to create. Only the address is needed.' });
export type CreateEndpoint = z.output<typeof CreateEndpoint>;

/** The body of `PATCH /v1/endpoints/{id}`. */
export const ChangeEndpoint = z
  .strictObject({
    url: url.optional(),
    description: description.optional(),
    types: types.optional(),
    enabled: enabled.optional(),
  })
  .meta({ id: 'ChangeEndpoint', description: 'What to change of an endpoint; what is left out stays.' });
export type ChangeEndpoint = z.output<typeof ChangeEndpoint>;

/** The body of `POST /v1/endpoints/{id}/rotate-secret`. */
export const RotateSecret = z
  .strictObject({
    overlapSeconds: z
      .int('must be a whole number of seconds')
      .min(0, 'must be at least 0')
      .max(604_800, 'must be at most 604800 (7 days)')
      .default(86_400)
      .meta({
        description:
          'For how long what is sent is signed with the old secret too. Whole seconds, 0 to 604800 (7 days); default 86400, a day.',
        examples: [86_400],
      }),
  })
  .meta({ id: 'RotateSecret', description: 'How to replace a secret. Nothing is needed.' });
export type RotateSecret = z.output<typeof RotateSecret>;

/** An endpoint as it stands: without its secret. */
export const Endpoint = z
  .object({
    id: id('ep', 'The endpoint'),
    url,
    description,
    types: z.array(z.string()).meta({
      description: 'The types of events that it wants; none: all.',
      examples: [['session.ended', 'leg.ended']],
    }),
    enabled,
    disabledAt: instant('Since when nothing is sent to it; null while it is enabled.').nullable(),
    disabledReason: z
      .enum(['by-tenant', 'gone', 'failing'])
      .nullable()
      .meta({
        description:
          '`by-tenant`: you said so. `gone`: it answered 410. `failing`: it took nothing for five days. Null while it is enabled.',
        examples: ['failing'],
      }),
    failingSince: instant('Since when it has taken nothing that was sent; null: it took the last.').nullable(),
    failures: z
      .int()
      .min(0)
      .meta({
        description: 'Attempts in a row that it did not take. From the fifth on only one delivery at a time is tried.',
        examples: [0],
      }),
    oldSecretUntil: instant(
      'Until when what is sent is signed with the secret before too; null: it is not.',
    ).nullable(),
    createdAt: instant('When it was created.'),
  })
  .meta({ id: 'Endpoint', description: 'Where your events are sent.' });
export type Endpoint = z.output<typeof Endpoint>;

/** The reply to `POST /v1/endpoints` and to `POST /v1/endpoints/{id}/rotate-secret`. */
export const EndpointWithSecret = z
  .object({
    endpoint: Endpoint,
    secret: z.string().meta({
      description:
        'What events are signed with (Standard Webhooks): `whsec_` and 32 random bytes in base64. Shown this once; nobody can have it again.',
      examples: ['whsec_nVaaDrdyk6G1R2h6n2pPqvQkF3xJr1M8yqXWzG7t0Yk='],
    }),
  })
  .meta({ id: 'EndpointWithSecret', description: 'An endpoint with its new secret.' });
export type EndpointWithSecret = z.output<typeof EndpointWithSecret>;

/** The reply to `GET /v1/endpoints`. */
export const Endpoints = z
  .object({ endpoints: z.array(Endpoint).meta({ description: 'Oldest first; at most ten.' }) })
  .meta({ id: 'Endpoints', description: 'All your endpoints.' });
export type Endpoints = z.output<typeof Endpoints>;

/** The reply to `DELETE /v1/endpoints/{id}`. */
export const DeletedEndpoint = z
  .object({ id: id('ep', 'The endpoint that was') })
  .meta({ id: 'DeletedEndpoint', description: 'The endpoint is gone, with its log; what waited for it is not sent.' });
export type DeletedEndpoint = z.output<typeof DeletedEndpoint>;

const deliveryId = id('dlv', 'The delivery');
const eventId = z.string().meta({ description: 'The event.', examples: ['evt_3q2-7wAAQkV1bWJlclBhcn_1'] });

/** The reply to `POST /v1/endpoints/{id}/ping`. */
export const Ping = z
  .object({ deliveryId, eventId })
  .meta({ id: 'Ping', description: 'A test event is on its way; the endpoint’s deliveries show what becomes of it.' });
export type Ping = z.output<typeof Ping>;

/** One attempt to deliver an event. */
const DeliveryAttempt = z
  .object({
    no: z
      .int()
      .min(1)
      .meta({ description: 'Counts from 1.', examples: [1] }),
    at: instant('When it was begun; written down before the request.'),
    status: z
      .int()
      .nullable()
      .meta({ description: 'What was answered; null: nothing, or not yet.', examples: [204] }),
    durationMs: z
      .int()
      .min(0)
      .nullable()
      .meta({
        description: 'How long it took, in milliseconds; null: it is under way, or whoever made it died.',
        examples: [42],
      }),
    error: z
      .string()
      .nullable()
      .meta({
        description:
          'Why there was no answer: `timeout` (15 s), `no-such-host`, `refused`, `reset`, `tls`, `blocked-address` (not in the open internet), or `no-answer`. Null otherwise.',
        examples: ['timeout'],
      }),
  })
  .meta({ id: 'DeliveryAttempt', description: 'One attempt to deliver an event.' });

/** One event and one endpoint. */
export const Delivery = z
  .object({
    id: deliveryId,
    endpointId: id('ep', 'Where to'),
    eventId,
    type: z.string().meta({ description: 'The event’s type.', examples: ['leg.joined'] }),
    state: z.enum(['pending', 'delivered', 'failed']).meta({
      description:
        '`pending`: it is sent, or waits for its turn. `delivered`: the endpoint answered 2xx. `failed`: every attempt of its schedule was made, or the endpoint was disabled.',
      examples: ['delivered'],
    }),
    createdAt: instant('When it was to be sent first.'),
    nextTryAt: instant('When it is sent (again), unless its turn has not come yet; null when it is not.').nullable(),
    doneAt: instant('When it was delivered or had failed; null before.').nullable(),
    attempts: z.array(DeliveryAttempt).meta({ description: 'Every attempt, oldest first.' }),
  })
  .meta({ id: 'Delivery', description: 'An event on its way to an endpoint, with every attempt.' });
export type Delivery = z.output<typeof Delivery>;

/** The query of `GET /v1/endpoints/{id}/deliveries`. */
export const ListDeliveries = z.strictObject({
  state: z
    .enum(['pending', 'delivered', 'failed', 'all'], 'must be pending, delivered, failed or all')
    .default('all')
    .meta({ description: 'Only those in this state. Default `all`.', examples: ['failed'] }),
  ...page('deliveries', 'dlv'),
});
export type ListDeliveries = z.output<typeof ListDeliveries>;

/** The reply to `GET /v1/endpoints/{id}/deliveries`. */
export const DeliveryPage = z
  .object({
    deliveries: z.array(Delivery).meta({ description: 'Those of the newest events first.' }),
    next: z
      .string()
      .nullable()
      .meta({
        description: 'Give this as `after` to get the next page; null on the last.',
        examples: ['dlv_3q2-7wAAQkV1bWJlclBhcn'],
      }),
  })
  .meta({ id: 'DeliveryPage', description: 'A page of what was and is to be sent to an endpoint.' });
export type DeliveryPage = z.output<typeof DeliveryPage>;

/** The body of `POST /v1/endpoints/{id}/replay`. */
export const Replay = z
  .strictObject({
    eventIds: z
      .array(z.string().regex(/^evt_[\w-]{1,80}$/, 'must be an event’s id'))
      .min(1, 'must name at least one event')
      .max(100, 'must name at most 100 events')
      .optional()
      .meta({
        description: 'These events, whatever their types; 1 to 100. Instead of `since`.',
        examples: [['evt_3q2-7wAAQkV1bWJlclBhcn_1']],
      }),
    since: instant(
      'Events from this moment on, of the types that the endpoint wants; within the last 30 days.',
    ).optional(),
    until: instant('… and before this one. Left out: up to now.').optional(),
    after: z
      .string()
      .regex(/^evt_[\w-]{1,80}$/, 'must be the `next` of the reply before')
      .optional()
      .meta({
        description: 'Where to go on: the `next` of the reply before.',
        examples: ['evt_3q2-7wAAQkV1bWJlclBhcn_1'],
      }),
  })
  .refine(({ eventIds, since }) => (eventIds === undefined) !== (since === undefined), {
    message: 'must have eventIds or since, and not both',
    path: ['since'],
  })
  .meta({ id: 'Replay', description: 'Which events to send again, or for the first time.' });
export type Replay = z.output<typeof Replay>;

/** The reply to `POST /v1/endpoints/{id}/replay`. */
export const Replayed = z
  .object({
    replayed: z
      .int()
      .min(0)
      .meta({ description: 'So many events are to be sent, at most 1000 for a request.', examples: [12] }),
    next: z
      .string()
      .nullable()
      .meta({
        description: 'There was more: ask again with this as `after`. Null: that was all.',
        examples: ['evt_3q2-7wAAQkV1bWJlclBhcn_1'],
      }),
  })
  .meta({ id: 'Replayed', description: 'What is sent again.' });
export type Replayed = z.output<typeof Replayed>;
