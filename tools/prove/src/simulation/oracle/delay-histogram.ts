/**
 * Delays in milliseconds, counted in buckets: small to send between processes, and exact enough for
 * percentiles.
 */
export class DelayHistogram {
  count = 0;
  max = 0;
  /** Counts by upper end: buckets of a tenth of a second up to a minute, of a second above. */
  readonly buckets = new Map<number, number>();

  add(ms: number): void {
    this.count += 1;
    if (ms > this.max) this.max = ms;
    const bucket = ms < 60_000 ? Math.ceil(ms / 100) * 100 : Math.ceil(ms / 1_000) * 1_000;
    this.buckets.set(bucket, (this.buckets.get(bucket) ?? 0) + 1);
  }

  merge(other: { count: number; max: number; buckets: ReadonlyMap<number, number> }): void {
    this.count += other.count;
    this.max = Math.max(this.max, other.max);
    for (const [bucket, count] of other.buckets) this.buckets.set(bucket, (this.buckets.get(bucket) ?? 0) + count);
  }

  /** The upper end of the bucket, at most `max`. */
  percentile(share: number): number {
    let left = Math.ceil(this.count * share);
    for (const [bucket, count] of [...this.buckets].toSorted(([a], [b]) => a - b)) {
      left -= count;
      if (left <= 0) return Math.min(bucket, this.max);
    }
    return this.max;
  }
}
