import { z } from 'zod';
import { isBodyOptional, isWrite, problemsOf, SCOPES, TAGS, type Operation } from './operation.ts';
import { EVENT_SCHEMAS, EVENT_TYPES, exampleOf } from './events/events.ts';
import { OPERATIONS } from './operations.ts';
import { Problem } from './problem.ts';

/** The parts of OpenAPI 3.1 that the document uses. */
export interface OpenApi {
  readonly openapi: '3.1.0';
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly servers: readonly { readonly url: string; readonly description: string }[];
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  readonly security: readonly Record<string, readonly string[]>[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, ApiOperation>>>>;
  /** The events that endpoints receive, by type. */
  readonly webhooks: Readonly<Record<string, { readonly post: Webhook }>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, JsonSchema>>;
    readonly securitySchemes: Readonly<Record<string, object>>;
  };
}

export interface ApiOperation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly summary: string;
  readonly description: string;
  readonly security: readonly Record<string, readonly string[]>[];
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly required: boolean;
    readonly description?: string;
    readonly schema: JsonSchema;
    readonly example?: unknown;
  }[];
  readonly requestBody?: {
    readonly required: boolean;
    readonly content: Readonly<Record<string, { readonly schema: JsonSchema; readonly example?: unknown }>>;
  };
  /** The request as a shell command, as viewers of OpenAPI documents show it. */
  readonly 'x-codeSamples': readonly { readonly lang: string; readonly source: string }[];
  readonly responses: Readonly<
    Record<
      string,
      {
        readonly description: string;
        readonly headers?: object;
        readonly content: Readonly<Record<string, { readonly schema: JsonSchema }>>;
      }
    >
  >;
}

/** A request to a tenant's endpoint. */
export interface Webhook {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly summary: string;
  readonly parameters: readonly object[];
  readonly requestBody: {
    readonly required: true;
    readonly content: { readonly 'application/json': { readonly schema: JsonSchema; readonly example: unknown } };
  };
  readonly responses: Readonly<Record<string, { readonly description: string }>>;
}

/** A JSON Schema 2020-12, with the keywords that code of this repository reads. */
export interface JsonSchema {
  readonly $ref?: string;
  readonly type?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly enum?: readonly unknown[];
  readonly examples?: readonly unknown[];
  readonly default?: unknown;
  readonly [keyword: string]: unknown;
}

const PATH_PARAMETERS: Readonly<Record<string, { readonly description: string; readonly example: string }>> = {
  roomId: { description: 'The id of the room.', example: 'room_3q2-7wAAQkV1bWJlclBhcn' },
  sessionId: { description: 'The id of the session.', example: 'ses_3q2-7wAAQkV1bWJlclBhcn' },
  endpointId: { description: 'The id of the endpoint.', example: 'ep_3q2-7wAAQkV1bWJlclBhcn' },
  deliveryId: { description: 'The id of the delivery.', example: 'dlv_3q2-7wAAQkV1bWJlclBhcn' },
  keyId: {
    description: 'The id of the key: the part between the environment and the secret.',
    example: '9f86d081884c7d659a2feaa0c55ad015',
  },
  tenantId: { description: 'The id of the tenant.', example: 'ten_3q2-7wAAQkV1bWJlclBhcn' },
  participantId: { description: 'The id of the participant.', example: 'part_3q2-7wAAQkV1bWJlclBhcn' },
  pinId: { description: 'The id of the personal PIN, not its digits.', example: 'pin_3q2-7wAAQkV1bWJlclBhcn' },
  accountId: { description: 'The id of the provider account.', example: 'acct_3q2-7wAAQkV1bWJlclBhcn' },
  number: {
    description: 'The number in E.164 format, with `%2B` for the plus or without it.',
    example: '12025550100',
  },
};

/** The request of an operation as a curl command, with the examples of its path and its body. */
function toCurl({ method, path, scope, body }: Operation): string {
  const address = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => PATH_PARAMETERS[name]?.example ?? name);
  const text = body === undefined ? '' : JSON.stringify(exampleBody(body)).replaceAll("'", String.raw`'\''`);
  return [
    'curl',
    ...(method === (body === undefined ? 'get' : 'post') ? [] : [`-X ${method.toUpperCase()}`]),
    `"$API${address}"`,
    `-H "authorization: Bearer ${scope === 'operator' ? '$OPERATOR_KEY' : '$KEY'}"`,
    ...(body === undefined ? [] : [`-H 'content-type: application/json' -d '${text}'`]),
  ].join(' ');
}

/** A complete body that the operation accepts. */
const exampleBody = (body: z.ZodType): unknown => (body.meta()?.examples as readonly unknown[] | undefined)?.[0];

/** The OpenAPI 3.1 document, made from the schemas and the list of operations. Deterministic. */
export function openApi(version: string): OpenApi {
  const schemas = new Map<string, JsonSchema>();
  const paths: Record<string, Record<string, ApiOperation>> = {};
  for (const operation of OPERATIONS)
    (paths[operation.path] ??= {})[operation.method] = toApiOperation(operation, schemas);
  toReference(Problem, schemas);
  const webhooks = Object.fromEntries(EVENT_TYPES.map((type) => [type, { post: toWebhook(type, schemas) }]));
  return {
    openapi: '3.1.0',
    info: {
      title: 'Partyline',
      version,
      description:
        'Partyline connects browsers and phones in one conference, and hangs up every connection when it ends. Times ' +
        'are RFC 3339, in replies in UTC; durations are whole seconds, and phone numbers are E.164. Requests with unknown fields ' +
        'are rejected. Every error is a problem (RFC 9457) with a reason.',
    },
    servers: [{ url: '/', description: 'The deployment that serves this document.' }],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    security: [{ apiKey: [] }],
    paths,
    webhooks,
    components: {
      schemas: Object.fromEntries([...schemas].toSorted(([a], [b]) => (a < b ? -1 : 1))),
      securitySchemes: {
        apiKey: {
          type: 'http',
          scheme: 'bearer',
          description:
            'An API key, `pl_<env>_<id>_<secret>`, sent as `Authorization: Bearer pl_...`. Each operation names the ' +
            `scope that the key needs: ${SCOPES.join(', ')}. \`admin\` includes all scopes.`,
        },
        operatorKey: {
          type: 'http',
          scheme: 'bearer',
          description: 'A key of an operator, `plop_...`.',
        },
      },
    },
  };
}

function toApiOperation(operation: Operation, schemas: Map<string, JsonSchema>): ApiOperation {
  const { id, tag, summary, description, path, query, body, reply } = operation;
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => ({
    name,
    in: 'path',
    required: true,
    description: PATH_PARAMETERS[name]?.description ?? name,
    schema: { type: 'string' },
    example: PATH_PARAMETERS[name]?.example,
  }));
  const inQuery = Object.entries(query === undefined ? {} : (toJson(query, schemas).properties ?? {})).map(
    ([name, schema]) => ({ name, in: 'query', required: false, schema }),
  );
  const parameters = [
    ...inPath,
    ...inQuery,
    ...(isWrite(operation) ? [IDEMPOTENCY_KEY] : []),
    ...(isWrite(operation) && operation.versioned ? [IF_MATCH] : []),
    ...(operation.reply.also?.includes('text/event-stream') ? [LAST_EVENT_ID] : []),
  ];
  const problems = problemsOf(operation);
  return {
    operationId: id,
    tags: [tag],
    summary,
    description,
    security: [operation.scope === 'operator' ? { operatorKey: [] } : { apiKey: [operation.scope] }],
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: !isBodyOptional(operation),
            content: { 'application/json': { schema: toReference(body, schemas), example: exampleBody(body) } },
          },
        }),
    'x-codeSamples': [{ lang: 'Shell', source: toCurl(operation) }],
    responses: {
      [reply.status]: {
        description: toReference(reply.schema, schemas).$ref?.replace(/.*\//, '') ?? 'The request succeeded.',
        headers: { ...RATE, ...(isWrite(operation) ? REPLAYED : {}), ...(operation.versioned ? ETAG : {}) },
        content: {
          'application/json': { schema: toReference(reply.schema, schemas) },
          ...Object.fromEntries((reply.also ?? []).map((type) => [type, { schema: { type: 'string' } }])),
        },
      },
      ...Object.fromEntries(
        Object.entries(problems).map(([status, meanings]) => [
          status,
          {
            description: Object.entries(meanings)
              .map(([reason, meaning]) => `\`${reason}\`: ${meaning}`)
              .join(' '),
            ...(status === '503'
              ? { headers: RETRY_AFTER }
              : status === '429'
                ? { headers: { ...RETRY_AFTER, ...RATE } }
                : {}),
            content: {
              'application/problem+json': {
                schema: { $ref: '#/components/schemas/Problem' },
                examples: Object.fromEntries(
                  Object.entries(meanings).map(([reason, meaning]) => [reason, { summary: meaning }]),
                ),
              },
            },
          },
        ]),
      ),
    },
  };
}

const SIGNATURE_HEADERS = (
  [
    ['webhook-id', 'The id of the event, the same for every attempt.', 'evt_3q2-7wAAQkV1bWJlclBhcn_4'],
    ['webhook-timestamp', 'When the attempt was made, in seconds since 1970.', '1777887000'],
    [
      'webhook-signature',
      'The signatures (Standard Webhooks, HMAC-SHA256): `v1,` and a signature for each valid secret, separated by ' +
        'spaces.',
      'v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=',
    ],
  ] as const
).map(([name, description, example]) => ({
  name,
  in: 'header',
  required: true,
  description,
  schema: { type: 'string', examples: [example] },
}));

/** An event as an endpoint receives it. */
function toWebhook(type: (typeof EVENT_TYPES)[number], schemas: Map<string, JsonSchema>): Webhook {
  const schema = EVENT_SCHEMAS[type];
  return {
    operationId: `on-${type.replace('.', '-')}`,
    tags: ['endpoints'],
    summary: schema.meta()?.description ?? '',
    parameters: SIGNATURE_HEADERS,
    requestBody: {
      required: true,
      content: { 'application/json': { schema: toReference(schema, schemas), example: exampleOf(type) } },
    },
    responses: {
      '2XX': { description: 'Accepted.' },
      410: { description: 'The endpoint is disabled: no further events are sent to it.' },
      default: { description: 'Failed, also for a redirect. The event is sent again for 3 days.' },
    },
  };
}

const RETRY_AFTER = {
  'Retry-After': { description: 'Seconds to wait before a retry.', schema: { type: 'integer', minimum: 1 } },
};

/** draft-ietf-httpapi-ratelimit-headers-11. */
const RATE = {
  'RateLimit-Policy': {
    description: 'The limit of requests (`q`) per window (`w`, in seconds).',
    schema: { type: 'string', examples: ['"tenant";q=600;w=60'] },
  },
  RateLimit: {
    description: 'The remaining requests (`r`) in this window, and the seconds until it ends (`t`).',
    schema: { type: 'string', examples: ['"tenant";r=599;t=60'] },
  },
};
const REPLAYED = {
  'Idempotency-Replayed': {
    description: '`true`: the stored answer of an earlier request with this `Idempotency-Key`.',
    schema: { type: 'string', enum: ['true'] },
  },
};
const IDEMPOTENCY_KEY = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  description:
    'Your own unique key of this request, for example a UUID: 1 to 255 printable ASCII characters. Requests with the ' +
    'same key within 24 hours are executed once and get the same answer.',
  schema: {
    type: 'string',
    minLength: 1,
    maxLength: 255,
    pattern: '^[ -~]+$',
    examples: ['0f8fad5b-d9cb-469f-a165-70867728950e'],
  },
};

const ETAG = { ETag: { description: 'The version of the room.', schema: { type: 'string', examples: ['"3"'] } } };
const IF_MATCH = {
  name: 'If-Match',
  in: 'header',
  required: false,
  description: 'An `ETag`: change the room only if it still has this version. Left out: change it in any case.',
  schema: { type: 'string', examples: ['"3"'] },
};

const LAST_EVENT_ID = {
  name: 'Last-Event-ID',
  in: 'header',
  required: false,
  description:
    'For a stream: the last `id` that you received; the stream continues after it. The stream sends an `id` before ' +
    'the first event. `start`: from the oldest retained event.',
  schema: { type: 'string', examples: ['evt_3q2-7wAAQkV1bWJlclBhcn_1'] },
};

/**
 * Adds a schema with an id, and all schemas that it refers to, to the components. Returns its
 * reference.
 */
function toReference(schema: z.ZodType, schemas: Map<string, JsonSchema>): JsonSchema {
  const name = schema.meta()?.id;
  if (name === undefined) throw new Error('A schema of a body or a reply must have an id.');
  if (!schemas.has(name)) toJson(schema, schemas);
  return { $ref: `#/components/schemas/${name}` };
}

function toJson(schema: z.ZodType, schemas: Map<string, JsonSchema>): JsonSchema {
  // `input` also for replies: replies can get further fields, so they must not forbid additional
  // properties.
  const {
    $schema: _dialect,
    $defs = {},
    ...converted
  } = z.toJSONSchema(schema, {
    io: 'input',
    target: 'draft-2020-12',
    override: ({ jsonSchema }) => removeRedundantKeywords(jsonSchema),
  }) as JsonSchema & { $defs?: Record<string, JsonSchema> };
  for (const [name, { id: _id, ...part }] of Object.entries($defs)) schemas.set(name, toComponents(part));
  return toComponents(converted);
}

/**
 * Removes keywords that only repeat others: the pattern of a format, the largest integer, names of
 * a record.
 */
function removeRedundantKeywords(schema: Record<string, unknown>): void {
  if (schema.format === 'date-time') delete schema.pattern;
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
  delete schema.propertyNames;
}

/** Definitions of a schema become components of the document. */
const toComponents = (schema: object): JsonSchema =>
  JSON.parse(JSON.stringify(schema).replaceAll('"#/$defs/', '"#/components/schemas/')) as JsonSchema;
