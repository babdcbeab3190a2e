import { createHash, timingSafeEqual } from 'node:crypto';

/**
 * The SHA-256 of each operator key with a name and an expiry (null: never), from the configuration.
 */
export type OperatorKeys = readonly {
  readonly id: string;
  readonly hash: Buffer;
  readonly expiresAt: Date | null;
}[];

export const isOperatorKey = (key: string): boolean => key.startsWith('plop_');

/** The operator with this key, or why there is none. Compares every key in constant time. */
export function findOperator(
  keys: OperatorKeys,
  key: string,
  now: Date,
): { readonly id: string } | { readonly rejected: 'unknown-key' | 'expired-key' } {
  const hash = createHash('sha256').update(key).digest();
  let found: OperatorKeys[number] | null = null;
  for (const operator of keys) if (timingSafeEqual(hash, operator.hash)) found = operator;
  if (found === null) return { rejected: 'unknown-key' };
  return found.expiresAt !== null && found.expiresAt <= now ? { rejected: 'expired-key' } : { id: found.id };
}
