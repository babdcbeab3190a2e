import type { Deps } from '@partyline/conference/deps';
import type { System } from './system.ts';
import type { SweepPlan } from './sweeps.ts';

/** A planted bug: the real thing with one thing wrong. */
export interface Mutation {
  readonly name: string;
  /** Wraps what use-cases are given. */
  readonly deps?: (deps: Deps, system: System) => Deps;
  /** Wraps the sweeps. */
  readonly sweeps?: (plan: SweepPlan, system: System) => SweepPlan;
}
