import { createHash, timingSafeEqual } from 'node:crypto';

/** The SHA-256 of each operator's key, and a name for whom it is: from the configuration, since nobody is above the operator to keep it in a table. */
export type OperatorKeys = readonly { readonly id: string; readonly hash: Buffer }[];

export const isOperatorKey = (key: string): boolean => key.startsWith('plop_');

/** Which operator's key this is; `null`: nobody's. Every key is compared, to its end, whatever was found before. */
export function findOperator(keys: OperatorKeys, key: string): string | null {
  const hash = createHash('sha256').update(key).digest();
  let found: string | null = null;
  for (const operator of keys) if (timingSafeEqual(hash, operator.hash)) found = operator.id;
  return found;
}
