const MAX_DISTANCE = 3;

/** Finds the word that differs least from a mistyped one; undefined when none is near. */
export function findSimilarWord(text: string, words: readonly string[]): string | undefined {
  const [nearest] = words
    .map((word) => ({ word, distance: measureDistance(text, word) }))
    .toSorted((a, b) => a.distance - b.distance);
  return nearest !== undefined && nearest.distance <= MAX_DISTANCE ? nearest.word : undefined;
}

/** The number of characters to insert, delete or replace (Levenshtein). */
function measureDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, at) => at);
  for (const [fromAt, letter] of [...from].entries()) {
    const next = [fromAt + 1];
    for (const [toAt, other] of [...to].entries())
      next.push(Math.min(next[toAt]! + 1, row[toAt + 1]! + 1, row[toAt]! + (letter === other ? 0 : 1)));
    row = next;
  }
  return row.at(-1)!;
}
