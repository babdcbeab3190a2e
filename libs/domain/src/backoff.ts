/**
 * Computes the wait before the next attempt: `firstMs` after the first failure, doubled for each
 * further one, at most `maxMs`.
 * @param failures failed attempts in a row; a value below 1 counts as 1
 */
export const backoff = (failures: number, { firstMs, maxMs }: { firstMs: number; maxMs: number }): number =>
  Math.min(maxMs, firstMs * 2 ** (Math.max(1, failures) - 1));
