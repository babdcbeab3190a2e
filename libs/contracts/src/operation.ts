import type { z } from 'zod';

/** What an API key may do. `admin`: everything of its tenant's. */
export const SCOPES = ['rooms:read', 'rooms:write', 'calls:write', 'events:read', 'keys:write', 'admin'] as const;
export type Scope = (typeof SCOPES)[number];

/** Groups of operations, in the order in which the reference shows them. */
export const TAGS = {
  rooms: 'Create, look at and end rooms.',
  participants: 'Bring browsers and phones in, and see who is there.',
  sessions: 'What happened in a meeting.',
  'hang-ups': 'The hang-up ledger: proof that every connection is down.',
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
  readonly reply: { readonly status: 200 | 201 | 202 | 204; readonly schema: z.ZodType };
  /** Which problems it can give beside 401, 403 and 500, by status: what each means here. */
  readonly problems: Readonly<Record<number, string>>;
}

/** What several operations say of the same status. */
export const noRoom = { 404: 'There is no such room, or it is another tenant’s.' };
export const noSession = { 404: 'There is no such session, or it is another tenant’s.' };
export const ended = { 409: 'The room has ended.' };
export const endedOrFull = { 409: 'The room has ended, or is full.' };
export const badQuery = { 422: 'The query is not as it should be.' };
export const badBody = { 413: 'The body is larger than 64 kB.', 415: 'The body is not JSON.', 422: 'The body is not as it should be; `errors` names every wrong field.' };
export const notNow = { 502: 'The provider refused or was too busy.', 503: 'The provider cannot be asked just now; nothing was made. Try again after `Retry-After` seconds.', 504: 'The provider gave no answer.' };
