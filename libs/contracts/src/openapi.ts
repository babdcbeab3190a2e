import { z } from 'zod';
import { problemsOf, SCOPES, TAGS, writes, type Operation } from './operation.ts';
import { EVENT_SCHEMAS, EVENT_TYPES, exampleOf } from './events/events.ts';
import { OPERATIONS } from './operations.ts';
import { Problem } from './problem.ts';

/** The parts of an OpenAPI 3.1 document that ours has. */
export interface OpenApi {
  readonly openapi: '3.1.0';
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  readonly security: readonly Record<string, readonly string[]>[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, ApiOperation>>>>;
  /** What is sent to endpoints, by the event's type. */
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
  }[];
  readonly requestBody?: {
    readonly required: true;
    readonly content: Readonly<Record<string, { readonly schema: JsonSchema }>>;
  };
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

/** A request that we make. */
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

/** A JSON Schema, 2020-12, of which the reference page reads a few words. */
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

const PARAMETERS: Readonly<Record<string, string>> = {
  roomId: 'The room’s id, as POST /v1/rooms gave it.',
  sessionId: 'The session’s id, as the room shows it.',
  endpointId: 'The endpoint’s id.',
  deliveryId: 'The delivery’s id.',
  keyId: 'The key’s id: the part of it between its environment and its secret.',
  tenantId: 'The tenant’s id.',
  participantId: 'The participant’s id, as the roster shows it.',
  pinId: 'The PIN’s id, as it was given.',
  accountId: 'The account’s id, as POST /v1/provider-accounts gave it.',
  number: 'The number, E.164; its plus as `%2B`, or without it.',
};

/** The API's OpenAPI 3.1 document, made from the schemas and the list of operations. Always the same for the same version. */
export function openApi(version: string): OpenApi {
  const schemas = new Map<string, JsonSchema>();
  const paths: Record<string, Record<string, ApiOperation>> = {};
  for (const operation of OPERATIONS) (paths[operation.path] ??= {})[operation.method] = describe(operation, schemas);
  refer(Problem, schemas);
  const webhooks = Object.fromEntries(EVENT_TYPES.map((type) => [type, { post: describeEvent(type, schemas) }]));
  return {
    openapi: '3.1.0',
    info: {
      title: 'Partyline',
      version,
      description:
        'Joins browsers in a video room and callers on shared phone numbers into one conference, and hangs up every leg when it ends. Times are RFC 3339 in UTC, durations whole seconds, phone numbers E.164. Unknown fields are refused. Every error is a problem (RFC 9457) with a reason and, where there is one, a fix.',
    },
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
          description: `An API key, \`pl_<env>_<id>_<secret>\`, sent as \`Authorization: Bearer pl_…\`. Each operation names the scope that the key must have: ${SCOPES.join(', ')}; \`admin\` has all.`,
        },
        operatorKey: {
          type: 'http',
          scheme: 'bearer',
          description: 'A key of the platform’s operator, not of a tenant.',
        },
      },
    },
  };
}

function describe(operation: Operation, schemas: Map<string, JsonSchema>): ApiOperation {
  const { id, tag, summary, description, path, query, body, reply } = operation;
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => ({
    name,
    in: 'path',
    required: true,
    description: PARAMETERS[name] ?? name,
    schema: { type: 'string' },
  }));
  const inQuery = Object.entries(query === undefined ? {} : (toJson(query, schemas).properties ?? {})).map(
    ([name, schema]) => ({ name, in: 'query', required: false, schema }),
  );
  const parameters = [
    ...inPath,
    ...inQuery,
    ...(writes(operation) ? [IDEMPOTENCY_KEY] : []),
    ...(writes(operation) && operation.versioned ? [IF_MATCH] : []),
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
      : { requestBody: { required: true, content: { 'application/json': { schema: refer(body, schemas) } } } }),
    responses: {
      [reply.status]: {
        description: refer(reply.schema, schemas).$ref?.replace(/.*\//, '') ?? 'Done.',
        headers: { ...RATE, ...(writes(operation) ? REPLAYED : {}), ...(operation.versioned ? ETAG : {}) },
        content: {
          'application/json': { schema: refer(reply.schema, schemas) },
          ...Object.fromEntries((reply.also ?? []).map((type) => [type, { schema: { type: 'string' } }])),
        },
      },
      ...Object.fromEntries(
        Object.entries(problems).map(([status, means]) => [
          status,
          {
            description: means,
            ...(status === '503'
              ? { headers: RETRY_AFTER }
              : status === '429'
                ? { headers: { ...RETRY_AFTER, ...RATE } }
                : {}),
            content: {
              'application/problem+json': {
                schema: { $ref: '#/components/schemas/Problem' },
                examples: reasonsIn(means),
              },
            },
          },
        ]),
      ),
    },
  };
}

/** A problem's reasons, as the words name them (`Operation.problems`), for programs to read. */
function reasonsIn(means: string): Record<string, { summary: string }> {
  const named = means.matchAll(/`([a-z0-9…-]+)`: (.*?\.)(?= `[a-z0-9…-]+`: |$)/g);
  return Object.fromEntries([...named].map(([, reason = '', summary = '']) => [reason, { summary }]));
}

const SIGNED = (
  [
    ['webhook-id', 'The event’s id, the same each time that it is sent.', 'evt_3q2-7wAAQkV1bWJlclBhcn_4'],
    ['webhook-timestamp', 'When this attempt was made, in seconds since 1970.', '1777887000'],
    [
      'webhook-signature',
      'By Standard Webhooks (HMAC-SHA256): `v1,` and the signature, one for each secret that is good, with spaces between.',
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

/** An event as we send it to a tenant's endpoint. */
function describeEvent(type: (typeof EVENT_TYPES)[number], schemas: Map<string, JsonSchema>): Webhook {
  const schema = EVENT_SCHEMAS[type];
  return {
    operationId: `on-${type.replace('.', '-')}`,
    tags: ['endpoints'],
    summary: schema.meta()?.description ?? '',
    parameters: SIGNED,
    requestBody: {
      required: true,
      content: { 'application/json': { schema: refer(schema, schemas), example: exampleOf(type) } },
    },
    responses: {
      '2XX': { description: 'Taken.' },
      410: { description: 'The endpoint is gone for good: nothing more is sent to it.' },
      default: { description: 'Not taken, a redirect included: it is sent again, over three days.' },
    },
  };
}

const RETRY_AFTER = {
  'Retry-After': { description: 'Seconds to wait before trying again.', schema: { type: 'integer', minimum: 1 } },
};

/** draft-ietf-httpapi-ratelimit-headers-11. */
const RATE = {
  'RateLimit-Policy': {
    description: 'How many requests (`q`) a window of so many seconds (`w`) may have.',
    schema: { type: 'string', examples: ['"tenant";q=600;w=60'] },
  },
  RateLimit: {
    description: 'How many requests are left (`r`) until the window ends, in so many seconds (`t`).',
    schema: { type: 'string', examples: ['"tenant";r=599;t=60'] },
  },
};
const REPLAYED = {
  'Idempotency-Replayed': {
    description: '`true`: the answer to an earlier request with this `Idempotency-Key`; nothing was done now.',
    schema: { type: 'string', enum: ['true'] },
  },
};
const IDEMPOTENCY_KEY = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  description:
    'A name of your own for this request, different for each: 1 to 255 printable ASCII characters. However often it is sent again within 24 hours, it is done once and gets the same answer.',
  schema: {
    type: 'string',
    minLength: 1,
    maxLength: 255,
    pattern: '^[ -~]+$',
    examples: ['0f8fad5b-d9cb-469f-a165-70867728950e'],
  },
};

const ETAG = { ETag: { description: 'The version that this shows.', schema: { type: 'string', examples: ['"3"'] } } };
const IF_MATCH = {
  name: 'If-Match',
  in: 'header',
  required: false,
  description: 'An `ETag`: do it only if that is still the version. Left out: do it whatever the version is.',
  schema: { type: 'string', examples: ['"3"'] },
};

const LAST_EVENT_ID = {
  name: 'Last-Event-ID',
  in: 'header',
  required: false,
  description:
    'Of a stream: the last `id` that it gave you; it goes on after that. It gives one at its beginning, before the first event. `start`: from the oldest that is kept on.',
  schema: { type: 'string', examples: ['evt_3q2-7wAAQkV1bWJlclBhcn_1'] },
};

/** Puts a schema that has an id, and all that it refers to, among the components; gives the reference to it. */
function refer(schema: z.ZodType, schemas: Map<string, JsonSchema>): JsonSchema {
  const name = schema.meta()?.id;
  if (name === undefined) throw new Error('Only a schema with an id can be a body or a reply.');
  if (!schemas.has(name)) toJson(schema, schemas);
  return { $ref: `#/components/schemas/${name}` };
}

function toJson(schema: z.ZodType, schemas: Map<string, JsonSchema>): JsonSchema {
  // `input` for replies too: their objects may get more fields one day, so a client must not be told that there are no others.
  const {
    $schema: _dialect,
    $defs = {},
    ...made
  } = z.toJSONSchema(schema, {
    io: 'input',
    target: 'draft-2020-12',
    override: ({ jsonSchema }) => dropNoise(jsonSchema),
  }) as JsonSchema & { $defs?: Record<string, JsonSchema> };
  for (const [name, { id: _id, ...part }] of Object.entries($defs)) schemas.set(name, toComponents(part));
  return toComponents(made);
}

/** What zod writes down beyond what anybody reads: the pattern behind a format, JavaScript's largest integer, the names of a record's fields. */
function dropNoise(schema: Record<string, unknown>): void {
  if (schema.format === 'date-time') delete schema.pattern;
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
  delete schema.propertyNames;
}

/** References between schemas point at each other's definitions; in the document those are components. */
const toComponents = (schema: object): JsonSchema =>
  JSON.parse(JSON.stringify(schema).replaceAll('"#/$defs/', '"#/components/schemas/')) as JsonSchema;
