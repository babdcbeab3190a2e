import type { HandleCounts } from '@partyline/janus/admin/count-handles';

/** Counts the handles that a Janus has now and did not have before, of each kind. */
export const countAdded = (before: readonly HandleCounts[], now: readonly HandleCounts[]): number =>
  now
    .flatMap((counts, index) =>
      Object.entries(counts).map(([kind, count]) => Math.max(0, count - (before[index]?.[kind] ?? 0))),
    )
    .reduce((sum, added) => sum + added, 0);
