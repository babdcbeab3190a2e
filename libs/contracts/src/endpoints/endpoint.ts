import { z } from 'zod';
import { eventTypes } from '../events/events.ts';
import { id, instant, next, ONE_LINE, page } from '../fields.ts';

const url = z
  .string('must be a URL')
  .max(2_000, 'must have at most 2000 characters')
  .meta({
    description:
      'The URL that receives the events: https, a public host, port 443, 80 or 8443. At most 2000 characters.',
    examples: ['https://example.com/events'],
  });
const description = z
  .string()
  .max(200, 'must have at most 200 characters')
  .regex(...ONE_LINE)
  .meta({ description: 'The purpose of the endpoint. At most 200 characters, one line.', examples: ['Billing'] });
const types = z
  .array(eventTypes)
  .max(50, 'must not repeat a type')
  .refine((list) => new Set(list).size === list.length, 'must not repeat a type')
  .meta({
    description: 'The types of events that are sent. Empty: all types.',
    examples: [['session.ended', 'leg.ended']],
  });
const enabled = z
  .boolean('must be true or false')
  .meta({ description: 'True if events are sent to the endpoint.', examples: [true] });

/** The body of `POST /v1/endpoints`. */
export const CreateEndpoint = z
  .strictObject({ url, description: description.default(''), types: types.default([]), enabled: enabled.default(true) })
  .meta({
    id: 'CreateEndpoint',
    examples: [{ url: 'https://example.com/events', types: ['session.ended', 'leg.ended'], description: 'Billing' }],
    description: 'An endpoint to create. Only `url` is required.',
  });
export type CreateEndpoint = z.output<typeof CreateEndpoint>;

/** The body of `PATCH /v1/endpoints/{id}`. */
export const ChangeEndpoint = z
  .strictObject({
    url: url.optional(),
    description: description.optional(),
    types: types.optional(),
    enabled: enabled.optional(),
  })
  .meta({
    id: 'ChangeEndpoint',
    examples: [{ types: ['session.ended'], enabled: true }],
    description: 'The properties to change.',
  });
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
          'How long events are also signed with the previous secret. Whole seconds, 0 to 604800 (7 days); default ' +
          '86400 (1 day).',
        examples: [86_400],
      }),
  })
  .meta({
    id: 'RotateSecret',
    examples: [{ overlapSeconds: 3_600 }],
    description: 'How to rotate a secret. No field is required.',
  });
export type RotateSecret = z.output<typeof RotateSecret>;

/** An endpoint as the API shows it, without its secret. */
export const Endpoint = z
  .object({
    id: id('ep', 'The endpoint'),
    url,
    description,
    types: z.array(z.string()).meta({
      description: 'The types of events that are sent. Empty: all types.',
      examples: [['session.ended', 'leg.ended']],
    }),
    enabled,
    disabledAt: instant('When the endpoint was disabled. Null while it is enabled.').nullable(),
    disabledReason: z
      .enum(['by-tenant', 'gone', 'failing'])
      .nullable()
      .meta({
        description:
          '`by-tenant`: you disabled it. `gone`: it answered 410. `failing`: it accepted no event for 5 days. Null ' +
          'while it is enabled.',
        examples: ['failing'],
      }),
    failingSince: instant(
      'When the first failed attempt since the last success was made. Null: the last attempt succeeded.',
    ).nullable(),
    failures: z
      .int()
      .min(0)
      .meta({
        description:
          'The number of failed attempts in a row. From the fifth on only one delivery at a time is attempted.',
        examples: [0],
      }),
    oldSecretUntil: instant(
      'Until when events are also signed with the previous secret. Null: they are not.',
    ).nullable(),
    createdAt: instant('When the endpoint was created.'),
  })
  .meta({ id: 'Endpoint', description: 'A URL that receives your events.' });
export type Endpoint = z.output<typeof Endpoint>;

/** The reply to `POST /v1/endpoints` and to `POST /v1/endpoints/{id}/rotate-secret`. */
export const EndpointWithSecret = z
  .object({
    endpoint: Endpoint,
    secret: z.string().meta({
      description:
        'The secret that signs the events (Standard Webhooks): `whsec_` and 32 random bytes in base64. Shown only ' +
        'once.',
      examples: ['whsec_nVaaDrdyk6G1R2h6n2pPqvQkF3xJr1M8yqXWzG7t0Yk='],
    }),
  })
  .meta({ id: 'EndpointWithSecret', description: 'An endpoint with its new secret.' });
export type EndpointWithSecret = z.output<typeof EndpointWithSecret>;

/** The reply to `GET /v1/endpoints`. */
export const Endpoints = z
  .object({ endpoints: z.array(Endpoint).meta({ description: 'Oldest first, at most 10.' }) })
  .meta({ id: 'Endpoints', description: 'All your endpoints.' });
export type Endpoints = z.output<typeof Endpoints>;

/** The reply to `DELETE /v1/endpoints/{id}`. */
export const DeletedEndpoint = z.object({ id: id('ep', 'The deleted endpoint') }).meta({
  id: 'DeletedEndpoint',
  description: 'A deleted endpoint. Its log is deleted, and its pending deliveries are not sent.',
});
export type DeletedEndpoint = z.output<typeof DeletedEndpoint>;

const deliveryId = id('dlv', 'The delivery');
const eventId = z.string().meta({ description: 'The event.', examples: ['evt_3q2-7wAAQkV1bWJlclBhcn_1'] });

/** The reply to `POST /v1/endpoints/{id}/ping`. */
export const Ping = z
  .object({ deliveryId, eventId })
  .meta({ id: 'Ping', description: 'A queued test event. The deliveries of the endpoint show its result.' });
export type Ping = z.output<typeof Ping>;

/** One attempt to deliver an event. */
const DeliveryAttempt = z
  .object({
    no: z
      .int()
      .min(1)
      .meta({ description: 'Counts from 1.', examples: [1] }),
    at: instant('When the attempt was recorded, before the request.'),
    status: z
      .int()
      .nullable()
      .meta({ description: 'The HTTP status of the answer. Null: no answer.', examples: [204] }),
    durationMs: z
      .int()
      .min(0)
      .nullable()
      .meta({
        description: 'The duration in milliseconds. Null: the attempt is in progress, or its process died.',
        examples: [42],
      }),
    error: z
      .string()
      .nullable()
      .meta({
        description:
          'Why there was no answer: `timeout` (15 s), `no-such-host`, `refused`, `reset`, `tls`, `blocked-address` ' +
          '(not a public address) or `no-answer`. Null otherwise.',
        examples: ['timeout'],
      }),
  })
  .meta({ id: 'DeliveryAttempt', description: 'One attempt to deliver an event.' });

/** One event and one endpoint. */
export const Delivery = z
  .object({
    id: deliveryId,
    endpointId: id('ep', 'The endpoint'),
    eventId,
    type: z.string().meta({ description: 'The type of the event.', examples: ['leg.joined'] }),
    state: z.enum(['pending', 'delivered', 'failed']).meta({
      description:
        '`pending`: queued or in progress. `delivered`: the endpoint answered 2xx. `failed`: all attempts failed, or ' +
        'the endpoint was disabled.',
      examples: ['delivered'],
    }),
    createdAt: instant('When the delivery was created.'),
    nextTryAt: instant('When the next attempt is due. Null: no further attempt.').nullable(),
    doneAt: instant('When the delivery succeeded or failed. Null before.').nullable(),
    attempts: z.array(DeliveryAttempt).meta({ description: 'Every attempt, oldest first.' }),
  })
  .meta({ id: 'Delivery', description: 'The delivery of an event to an endpoint, with every attempt.' });
export type Delivery = z.output<typeof Delivery>;

/** The query of `GET /v1/endpoints/{id}/deliveries`. */
export const ListDeliveries = z.strictObject({
  state: z
    .enum(['pending', 'delivered', 'failed', 'all'], 'must be pending, delivered, failed or all')
    .default('all')
    .meta({ description: 'Only deliveries in this state. Default `all`.', examples: ['failed'] }),
  ...page('deliveries', 'dlv'),
});
export type ListDeliveries = z.output<typeof ListDeliveries>;

/** The reply to `GET /v1/endpoints/{id}/deliveries`. */
export const DeliveryPage = z
  .object({
    deliveries: z.array(Delivery).meta({ description: 'Deliveries of the newest events first.' }),
    next: next('dlv_3q2-7wAAQkV1bWJlclBhcn'),
  })
  .meta({ id: 'DeliveryPage', description: 'A page of deliveries.' });
export type DeliveryPage = z.output<typeof DeliveryPage>;

/** The body of `POST /v1/endpoints/{id}/replay`. */
export const Replay = z
  .strictObject({
    eventIds: z
      .array(z.string().regex(/^evt_[\w-]{1,80}$/, 'must be the id of an event'))
      .min(1, 'must have at least one event')
      .max(100, 'must have at most 100 events')
      .optional()
      .meta({
        description: 'The events to send, of any type. 1 to 100. Use either this or `since`.',
        examples: [['evt_3q2-7wAAQkV1bWJlclBhcn_1']],
      }),
    since: instant('Events from this time on, of the types of the endpoint. Within the last 30 days.').optional(),
    until: instant('Events before this time. Left out: now.').optional(),
    after: z
      .string()
      .regex(/^evt_[\w-]{1,80}$/, 'must be the `next` of the previous reply')
      .optional()
      .meta({
        description: 'The `next` of the previous reply.',
        examples: ['evt_3q2-7wAAQkV1bWJlclBhcn_1'],
      }),
  })
  .refine(({ eventIds, since }) => (eventIds === undefined) !== (since === undefined), {
    message: 'must have either eventIds or since',
    path: ['since'],
  })
  .meta({
    id: 'Replay',
    examples: [{ eventIds: ['evt_3q2-7wAAQkV1bWJlclBhcn_1'] }],
    description: 'The events to send.',
  });
export type Replay = z.output<typeof Replay>;

/** The reply to `POST /v1/endpoints/{id}/replay`. */
export const Replayed = z
  .object({
    replayed: z
      .int()
      .min(0)
      .meta({ description: 'The number of queued events, at most 1000 per request.', examples: [12] }),
    next: z
      .string()
      .nullable()
      .meta({
        description: 'Send this as `after` to queue further events. Null: there are no further events.',
        examples: ['evt_3q2-7wAAQkV1bWJlclBhcn_1'],
      }),
  })
  .meta({ id: 'Replayed', description: 'The queued events.' });
export type Replayed = z.output<typeof Replayed>;
