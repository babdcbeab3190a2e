import type { z } from 'zod';

/** What an API key may do. `admin`: everything of its tenant's. */
export const SCOPES = ['rooms:read', 'rooms:write', 'calls:write', 'events:read', 'keys:write', 'admin'] as const;
export type Scope = (typeof SCOPES)[number];

/** Groups of operations, in the order in which the reference shows them. */
export const TAGS = {
  rooms: 'Create, look at and end rooms.',
  participants: 'Bring browsers and phones in, see who is there, mute them and send them out.',
  pins: 'PINs of people’s own, and new ones for a room.',
  numbers: 'The numbers that callers dial.',
  'provider-accounts': 'Your own accounts at the provider, in which the rooms of your own numbers live.',
  sessions: 'What happened in a meeting.',
  events: 'What happened, to be read or followed.',
  endpoints: 'Have your events sent to you, signed.',
  'hang-ups': 'The hang-up ledger: proof that every connection is down.',
  limits: 'How much you may use, and use.',
  usage: 'What was used, what it costs, and what is left to spend.',
  keys: 'The keys that open this API.',
  audit: 'Who changed what, and when.',
  operator: 'For who runs the platform: tenants, numbers, limits and rates. Only an operator’s key opens these.',
} as const;

/** One thing that the API can be asked to do. */
export interface Operation {
  /** Unique; a method name for the SDK. */
  readonly id: string;
  readonly method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  /** With its parameters in braces, as OpenAPI has it. */
  readonly path: string;
  readonly tag: keyof typeof TAGS;
  /** What the key must be allowed; `operator`: not a tenant's key at all, but the operator's. The guard reads it from here, so a route cannot forget it. */
  readonly scope: Scope | 'operator';
  readonly summary: string;
  readonly description: string;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  /** `also`: other media types in which it can be had, by `Accept`. */
  readonly reply: {
    readonly status: 200 | 201 | 202 | 204;
    readonly schema: z.ZodType;
    readonly also?: readonly string[];
  };
  /** Its reply has an `ETag`; one that changes something takes an `If-Match`. */
  readonly versioned?: true;
  /** A suspended tenant may do it too: see what it owes and what became of its calls. */
  readonly whileSuspended?: true;
  /** It ends or hangs up something: refused only beyond `ENDING_TIMES` as many requests as a minute may have. */
  readonly ends?: true;
  /** Which problems it can give beside those of all (`problemsOf`), by status: each reason in backticks, a colon, and what it means here. Tests hold every refusal to it. */
  readonly problems: Readonly<Record<number, string>>;
}

/** Whoever has used up the minute can still hang up; not without any end, since each such request is work for us too, also where there is nothing to end. */
export const ENDING_TIMES = 20;

/** Does it change something? Then it takes an `Idempotency-Key`. */
export const writes = ({ method }: Pick<Operation, 'method'>): boolean => method !== 'get';

const KEYED = {
  409: '`idempotency-key-reused`: the `Idempotency-Key` was used for another request. `idempotency-in-progress`: its request is still under way.',
  422: '`invalid-idempotency-key`: the `Idempotency-Key` is not as it should be.',
};
const also = (first: string | undefined, second: string): string =>
  first === undefined ? second : `${first} ${second}`;

/** Every problem that an operation can give, by status: its own, and those that all can give. */
export function problemsOf(operation: Operation): Readonly<Record<number, string>> {
  const { problems } = operation;
  const keyed = writes(operation)
    ? Object.fromEntries(
        Object.entries(KEYED).map(([status, means]) => [status, also(problems[Number(status)], means)]),
      )
    : {};
  const refused = {
    429: also(
      problems[429],
      operation.ends
        ? `\`rate-limited\`: more than ${ENDING_TIMES} times as many requests as a minute may have; until then it is done.`
        : '`rate-limited`: more requests than a minute may have.',
    ),
  };
  return {
    401: '`missing-key`: there is no API key. `unknown-key`: it is not known. `expired-key`: it has expired.',
    ...problems,
    403: also(
      problems[403],
      operation.whileSuspended || operation.scope === 'operator'
        ? '`scope-missing`: the key may not do this.'
        : '`scope-missing`: the key may not do this. `tenant-suspended`: your account is suspended.',
    ),
    ...keyed,
    ...refused,
    500: '`internal-error`: our fault.',
    503: also(problems[503], '`temporarily-unavailable`: our database is away; try again after `Retry-After` seconds.'),
  };
}

/** What several operations say of the same status. */
export const noRoom = { 404: '`room-not-found`: there is no such room, or it is another tenant’s.' };
export const noSession = { 404: '`session-not-found`: there is no such session, or it is another tenant’s.' };
export const ended = { 409: '`room-ended`: the room has ended.' };
export const noMoney = {
  402: '`spend-limit`: there is not enough money or minutes left for it; `GET /v1/spend` says of what.',
};
export const endedOrFull = {
  409: '`room-ended`: the room has ended. `room-not-open`: it is before its time or after. `room-full`: as many are in it as may be. `provider-account-gone`: the account that it lived in was deleted.',
};
export const badQuery = {
  422: '`invalid-query`: the query is not as it should be; `errors` names every wrong parameter.',
};
export const badBody = {
  413: '`body-too-large`: the body is larger than 64 kB.',
  415: '`wrong-media-type`: the body is not JSON.',
  422: '`invalid-body`: the body is not as it should be; `errors` names every wrong field.',
};
export const roomLimit = {
  429: '`limit-live-rooms`: as many of your rooms are active as you may have. `limit-live-legs`: as many people are connected to them as you may have.',
};
export const legLimit = { 429: '`limit-live-legs`: as many people are connected to your rooms as you may have.' };
export const notNow = {
  502: '`vendor-…`: the provider refused (`vendor-409`) or was too busy (`vendor-429`).',
  503: '`provider-unreachable`: the provider cannot be asked just now. `provider-rate-limited`: too many requests wait for it. `master-key-missing`: the operator has lost what your account’s credentials are sealed with. Nothing was made: try again after `Retry-After` seconds.',
  504: '`vendor-…`: the provider gave no answer (`vendor-timeout`). `provider-no-answer`: nobody knows whether it was done.',
};
