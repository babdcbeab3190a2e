import { PROVIDER_REASONS, REASONS, type Reason } from '@partyline/domain/reasons';
import type { z } from 'zod';

/** Scopes of an API key. `admin` includes all others. */
export const SCOPES = [
  'rooms:read',
  'rooms:write',
  'calls:write',
  'callers:read',
  'events:read',
  'keys:write',
  'admin',
] as const;
export type Scope = (typeof SCOPES)[number];

/** Groups of operations, in the order in which the reference shows them. */
export const TAGS = {
  rooms: 'Create, read, change and end rooms.',
  participants: 'Add browsers and phones to a room, list the participants, mute and remove them.',
  pins: 'Personal PINs, and new PINs for a room.',
  numbers: 'Dial-in numbers.',
  'provider-accounts': 'Your own accounts at the provider. The rooms on your dedicated numbers can use them.',
  'sip-accounts': 'The logins of your SIP phones, which can call your conference numbers.',
  sessions: 'The meetings of your rooms.',
  events: 'Read or stream the events of your rooms.',
  endpoints: 'Receive your events as signed webhooks.',
  'hang-ups': 'The hang-up ledger: the proof that every connection is closed.',
  limits: 'Your limits and what you use of them.',
  usage: 'Usage, costs and budgets.',
  keys: 'API keys.',
  audit: 'The log of all changes.',
  operator: 'Tenants, numbers, limits and rates of the platform. These operations need an operator key.',
} as const;

/** One operation of the API. */
export interface Operation {
  /** Unique. The name of the method in the SDK. */
  readonly id: string;
  readonly method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  /** With its parameters in braces, as in OpenAPI. */
  readonly path: string;
  readonly tag: keyof typeof TAGS;
  /**
   * The scope that the API key needs; `operator`: an operator key. The key guard of room-api reads
   * it.
   */
  readonly scope: Scope | 'operator';
  readonly summary: string;
  readonly description: string;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  /** `also`: further media types of the reply, selected by `Accept`. */
  readonly reply: {
    readonly status: 200 | 201 | 202 | 204;
    readonly schema: z.ZodType;
    readonly also?: readonly string[];
  };
  /** The reply has an `ETag`; a write accepts `If-Match`. */
  readonly versioned?: true;
  /** A suspended tenant may call it, to read its hang-ups, usage and audit log. */
  readonly whileSuspended?: true;
  /**
   * A read that the audit log records, because its reply has personal data. Every write is
   * recorded.
   */
  readonly audited?: true;
  /**
   * It also accepts a stream token (`POST /v1/events/stream-tokens`), and pages of any origin may
   * call it.
   */
  readonly streamToken?: true;
  /** It ends or hangs up something: its rate limit is `END_RATE_FACTOR` times the tenant's. */
  readonly ends?: true;
  /** It sends a request to the provider, which can fail (`PROVIDER_FAILURES`). */
  readonly asksProvider?: true;
  /**
   * Its own reasons, besides those that `reasonsOf` adds. Tests compare every problem with this
   * list.
   */
  readonly reasons: readonly Reason[];
}

/** A tenant that has used up its requests can still hang up, within a bound. */
export const END_RATE_FACTOR = 20;

/** A write changes something and accepts an `Idempotency-Key`. */
export const isWrite = ({ method }: Pick<Operation, 'method'>): boolean => method !== 'get';

/**
 * Whether a request without a body counts as one with `{}`: an action of which no setting is
 * required.
 */
export const isBodyOptional = ({ method, body }: Pick<Operation, 'method' | 'body'>): boolean =>
  method === 'post' && body?.safeParse({}).success === true;

const PROVIDER_FAILURES: readonly Reason[] = [
  'provider-unreachable',
  'provider-rate-limited',
  'master-key-missing',
  'provider-no-answer',
];

/** Every reason of the catalogue that an operation can answer with. */
export const reasonsOf = (operation: Operation): readonly Reason[] => [
  'missing-key',
  'unknown-key',
  'expired-key',
  'scope-missing',
  ...(operation.whileSuspended || operation.scope === 'operator' ? [] : (['tenant-suspended'] as const)),
  ...operation.reasons,
  // Also a write without fields reads its body: fields that it does not know are rejected.
  ...(isWrite(operation) ? (['body-too-large', 'wrong-media-type', 'invalid-body'] as const) : []),
  ...(operation.query === undefined ? [] : (['invalid-query'] as const)),
  ...(isWrite(operation)
    ? (['idempotency-key-reused', 'idempotency-in-progress', 'invalid-idempotency-key'] as const)
    : []),
  ...(isWrite(operation) && operation.versioned ? (['invalid-if-match'] as const) : []),
  ...(operation.asksProvider ? PROVIDER_FAILURES : []),
  'rate-limited',
  'internal-error',
  'temporarily-unavailable',
];

/** An operation's problems by HTTP status: each reason with its meaning. */
export function problemsOf(operation: Operation): Readonly<Record<number, Readonly<Record<string, string>>>> {
  const problems: Record<number, Record<string, string>> = {};
  for (const reason of reasonsOf(operation)) {
    const { status, meaning } = REASONS[reason];
    (problems[status] ??= {})[reason] = meaning;
  }
  if (operation.asksProvider)
    for (const status of [502, 504] as const)
      (problems[status] ??= {})[PROVIDER_REASONS.pattern] = PROVIDER_REASONS.meanings[status];
  return problems;
}

/** Reasons why a new connection is rejected: a spend limit, the state of the room, or a quota. */
export const CONNECTION_REASONS = [
  'spend-limit',
  'room-ended',
  'room-not-open',
  'room-full',
  'provider-account-gone',
  'limit-live-legs',
] as const satisfies readonly Reason[];
