import type { Client } from './generated/client/index.ts';

export interface CallOptions {
  /**
   * The API performs a write once per key. Default: a new key per call. Set it to repeat a write
   * safely.
   */
  readonly idempotencyKey?: string;
  /** Changes the room only if it has this `version`; throws a ConflictError (412) otherwise. */
  readonly ifVersion?: number;
  /** Aborts the call, including its retries. */
  readonly signal?: AbortSignal;
}

interface GeneratedOptions {
  readonly client: Client;
  readonly headers: Record<string, string>;
  readonly signal: AbortSignal | null;
}

/** Converts the options of a call to those of a generated function. */
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
