import type { Deps } from '@partyline/conference/deps';
import type { System } from './system.ts';
import type { SweepPlan } from './sweeps.ts';
import type { Chances } from './vendor/weather.ts';

/** A planted bug: the real thing with one thing wrong. */
export interface Mutation {
  readonly name: string;
  /** The rules of the oracle that it breaks: whatever else it does is no proof that it was seen. */
  readonly breaks: readonly string[];
  /** In which weather it shows soon. */
  readonly chances?: Partial<Chances>;
  /** Wraps what use-cases are given. */
  readonly deps?: (deps: Deps, system: System) => Deps;
  /** Wraps the sweeps. */
  readonly sweeps?: (plan: SweepPlan, system: System) => SweepPlan;
}
