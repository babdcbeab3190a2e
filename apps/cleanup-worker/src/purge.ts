import { purgeEvents } from '@partyline/store/events/purge-events';
import type { Store } from '@partyline/store/database/store';
import { dropOldCredentials } from '@partyline/store/provider-accounts/provider-accounts';
import { purgeExpired, PURGE_KINDS } from '@partyline/store/reconciliation/purge';

/** Deletes at most `limit` expired rows and returns how many it deleted. */
type DeleteBatch = (limit: number) => Promise<number>;

/** What is purged, in order, by kind. Old credentials come first, since they are secrets. */
export const purgesOf = (store: Store): Readonly<Record<string, DeleteBatch>> => ({
  credentials: () => dropOldCredentials(store),
  ...Object.fromEntries(PURGE_KINDS.map((kind) => [kind, (limit: number) => purgeExpired(store, kind, limit)])),
  events: async (limit) => Math.max(...Object.values(await purgeEvents(store, limit))),
});

/**
 * Runs one round of the purge. Deletes the expired rows of each kind in batches until a batch is
 * not full, at most `batches` per kind, so that a backlog of one kind does not delay the others. A
 * kind that fails is passed to `onError` and does not stop the round.
 * @param limit rows per batch; small enough for a statement to stay far below its time limit
 */
export async function purge(
  kinds: Readonly<Record<string, DeleteBatch>>,
  {
    limit,
    batches,
    signal,
    onError,
  }: { limit: number; batches: number; signal: AbortSignal; onError: (kind: string, error: unknown) => void },
): Promise<void> {
  for (const [kind, deleteBatch] of Object.entries(kinds)) {
    try {
      for (let batch = 0; batch < batches && !signal.aborted; batch += 1) if ((await deleteBatch(limit)) < limit) break;
    } catch (error) {
      onError(kind, error);
    }
  }
}
