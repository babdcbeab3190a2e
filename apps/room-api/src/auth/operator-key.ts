import { createHash, timingSafeEqual } from 'node:crypto';

/** The SHA-256 of each operator key with a name, from the configuration. */
export type OperatorKeys = readonly { readonly id: string; readonly hash: Buffer }[];

export const isOperatorKey = (key: string): boolean => key.startsWith('plop_');

/** The name of the operator with this key, or null. Compares every key in constant time. */
export function findOperator(keys: OperatorKeys, key: string): string | null {
  const hash = createHash('sha256').update(key).digest();
  let found: string | null = null;
  for (const operator of keys) if (timingSafeEqual(hash, operator.hash)) found = operator.id;
  return found;
}
