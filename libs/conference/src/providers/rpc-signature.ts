import { createHmac, timingSafeEqual } from 'node:crypto';

/**
 * The oldest request that is accepted, in milliseconds: four times the client's timeout, so that
 * the clocks of client and server may differ by a few seconds. The same bound applies to the
 * future.
 */
export const MAX_REQUEST_AGE_MS = 20_000;

/**
 * How long a nonce stays claimed, in milliseconds. A request is accepted for twice its age limit
 * when its client's clock is ahead.
 */
export const NONCE_CLAIM_MS = 2 * MAX_REQUEST_AGE_MS;

/** What the signature of an RPC request covers, together with its message pattern. */
export interface SignedFields {
  readonly id: string;
  /** Random, at least 128 bits, and new in each request, also in a repetition with the same id. */
  readonly nonce: string;
  /** Milliseconds since 1970, on the client's clock. */
  readonly sentAt: number;
  /** The method's argument, with dates as ISO strings. */
  readonly input: unknown;
}

/** The deployment's secret, and during a rotation the other one, which is accepted too. */
export interface RpcSecrets {
  readonly RPC_SECRET: string;
  readonly RPC_OTHER_SECRET?: string | undefined;
}

export type RequestRefusal = 'malformed' | 'wrong-signature' | 'stale';

/**
 * Signs a request: HMAC-SHA256 in base64url over the pattern and every field. The pattern contains
 * the method and the deployment's prefix, so that a request counts for nothing else.
 * @param input as decoded from JSON, so that the server encodes it to the same text
 */
export const signRequest = (secret: string, pattern: string, { id, nonce, sentAt, input }: SignedFields): string =>
  createHmac('sha256', secret)
    .update(JSON.stringify([pattern, id, nonce, sentAt, input]))
    .digest('base64url');

/**
 * Checks the signature and the age of a request from Redis, which any process with access to Redis
 * can have written.
 * @param nowMs milliseconds since 1970, on the server's clock
 * @returns why it is rejected, or null
 */
export function checkRequest(
  secrets: RpcSecrets,
  pattern: string,
  request: unknown,
  nowMs: number,
): RequestRefusal | null {
  const { id, nonce, sentAt, input, signature } = (request ?? {}) as Partial<Record<string, unknown>>;
  if (
    typeof id !== 'string' ||
    typeof nonce !== 'string' ||
    typeof sentAt !== 'number' ||
    typeof signature !== 'string' ||
    typeof input !== 'object' ||
    input === null
  )
    return 'malformed';
  const given = Buffer.from(signature, 'base64url');
  const isValid = [secrets.RPC_SECRET, secrets.RPC_OTHER_SECRET]
    .filter((secret) => secret !== undefined)
    .map((secret) => Buffer.from(signRequest(secret, pattern, { id, nonce, sentAt, input }), 'base64url'))
    .some((expected) => expected.length === given.length && timingSafeEqual(expected, given));
  if (!isValid) return 'wrong-signature';
  return Math.abs(nowMs - sentAt) <= MAX_REQUEST_AGE_MS ? null : 'stale';
}
