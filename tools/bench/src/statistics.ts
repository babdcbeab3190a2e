/** The quantile of the numbers by nearest rank; `share` is between 0 and 1. NaN without numbers. */
export function quantile(numbers: readonly number[], share: number): number {
  if (numbers.length === 0) return Number.NaN;
  const sorted = Float64Array.from(numbers).toSorted();
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
}

/** The median of the numbers. NaN without numbers. */
export function median(numbers: readonly number[]): number {
  const sorted = Float64Array.from(numbers).toSorted();
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return Number.NaN;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
