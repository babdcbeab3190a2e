/** Milliseconds, counted in buckets: small enough to be sent between threads and added up, fine enough for percentiles. */
export class DelayHistogram {
  count = 0;
  max = 0;
  /** By bucket: a tenth of a second up to a minute, a second above. */
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

  /** The bucket's upper end, never more than the largest seen. */
  percentile(part: number): number {
    let left = Math.ceil(this.count * part);
    for (const [bucket, count] of [...this.buckets].toSorted(([a], [b]) => a - b)) {
      left -= count;
      if (left <= 0) return Math.min(bucket, this.max);
    }
    return this.max;
  }
}
