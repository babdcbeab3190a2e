import type { Client } from './generated/client/index.ts';

/** What every call takes beside its own arguments. */
export interface CallOptions {
  /** Under which a write is done once. Made for each call; give your own to repeat a call whose answer was lost. */
  readonly idempotencyKey?: string;
  /** Gives the call up. */
  readonly signal?: AbortSignal;
}

/** The options of a generated call. */
export const callWith = (client: Client, { idempotencyKey, signal }: CallOptions = {}): { client: Client; headers: Record<string, string>; signal: AbortSignal | null } => ({
  client,
  headers: idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey },
  signal: signal ?? null,
});
