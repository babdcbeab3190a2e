/** A part that can be drained: it begins nothing new, and resolves when it has nothing left. */
interface Drainable {
  readonly count: number;
  drain(): Promise<void>;
}

/**
 * Drains all parts. Calls and browsers may still join the conferences of this gateway, so a part that
 * was empty may be filled while another one is drained: resolves when all are empty at once.
 */
export async function drainAll(parts: readonly Drainable[]): Promise<void> {
  do await Promise.all(parts.map((part) => part.drain()));
  while (parts.some(({ count }) => count > 0));
}
