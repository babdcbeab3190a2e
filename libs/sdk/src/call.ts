import type { Client } from './generated/client/index.ts';

/** What every call takes beside its own arguments. */
export interface CallOptions {
  /** Under which a write is done once. Made for each call; give your own to repeat a call whose answer was lost. */
  readonly idempotencyKey?: string;
  /** Do it only if the room still has this `version`; otherwise a ConflictError (412). For what has versions. */
  readonly ifVersion?: number;
  /** Gives the call up. */
  readonly signal?: AbortSignal;
}

interface GeneratedOptions {
  readonly client: Client;
  readonly headers: Record<string, string>;
  readonly signal: AbortSignal | null;
}

/** The options of a generated call. */
export const toRequestOptions = (
  client: Client,
  { idempotencyKey, ifVersion, signal }: CallOptions = {},
): GeneratedOptions => ({
  client,
  headers: {
    ...(idempotencyKey !== undefined && { 'idempotency-key': idempotencyKey }),
    ...(ifVersion !== undefined && { 'if-match': `"${ifVersion}"` }),
  },
  signal: signal ?? null,
});
