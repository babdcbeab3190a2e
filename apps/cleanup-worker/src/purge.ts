/** Clears away at most `limit` of something, and says how many. */
type ClearAway = (limit: number) => Promise<number>;

/**
 * One round of the purge: each kind in turn, a batch at a time until one is not full, and no more than `batches`, so that what follows has its turn however much there
 * is; the rest is for the next round. A kind that fails is told of, and keeps no other from its turn.
 * @param limit most of a batch: a statement of so many is far from its time limit
 */
export async function purge(
  kinds: Readonly<Record<string, ClearAway>>,
  {
    limit,
    batches,
    signal,
    onError,
  }: { limit: number; batches: number; signal: AbortSignal; onError: (kind: string, error: unknown) => void },
): Promise<void> {
  for (const [kind, clearAway] of Object.entries(kinds)) {
    try {
      for (let batch = 0; batch < batches && !signal.aborted; batch += 1) if ((await clearAway(limit)) < limit) break;
    } catch (error) {
      onError(kind, error);
    }
  }
}
