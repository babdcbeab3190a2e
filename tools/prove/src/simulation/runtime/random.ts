/**
 * Repeatable randomness. Each concern has its own generator, so that one more draw in one place
 * does not change the others.
 */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  /** A uniform integer in [0, below). */
  int(below: number): number;
  /** True with the given probability. */
  bool(probability: number): boolean;
  between(low: number, high: number): number;
  /** Exponentially distributed: the waiting time of a Poisson arrival. */
  exponential(mean: number): number;
  pick<T>(list: readonly T[]): T;
}

/** FNV-1a: turns the name of a concern into a seed. */
const hashText = (text: string): number => {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
};

/** A generator by sfc32, seeded with the seed and the name of the concern. */
export function createRandom(seed: number, concern: string): Random {
  let a = seed >>> 0;
  let b = hashText(concern);
  let c = (seed ^ 0x9e3779b9) >>> 0;
  let d = 1;
  const next = (): number => {
    const t = (((a + b) | 0) + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + t;
    c |= 0;
    return (t >>> 0) / 4294967296;
  };
  for (let i = 0; i < 12; i++) next();
  return {
    next,
    int: (below) => Math.floor(next() * below),
    bool: (probability) => probability > 0 && next() < probability,
    between: (low, high) => low + next() * (high - low),
    exponential: (mean) => -Math.log(1 - next()) * mean,
    pick: (list) => list[Math.floor(next() * list.length)]!,
  };
}

/** Generates ids in the format of real ones. The same seed gives the same ids. */
export function createIdGenerator(seed: number, concern: string): { next(prefix: string): string } {
  const random = createRandom(seed, concern);
  let count = 0;
  return {
    next(prefix) {
      count += 1;
      const suffix = Math.floor(random.next() * 0x7fffffff).toString(36);
      return `${prefix}_${count.toString(36).padStart(6, '0')}${suffix.padStart(6, '0')}`;
    },
  };
}
