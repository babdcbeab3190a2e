import type { Deps, Providers } from '@partyline/conference/deps';
import type { System } from './system.ts';
import type { SweepPlan } from './sweeps.ts';
import type { FaultProbabilities } from './provider/fault-profile.ts';

/** A planted bug: the real thing with one thing wrong. */
export interface Mutation {
  readonly name: string;
  /** The rules of the oracle that it breaks: whatever else it does is no proof that it was seen. */
  readonly brokenRules: readonly string[];
  /** In which weather it shows soon. */
  readonly faultProbabilities?: Partial<FaultProbabilities>;
  /** Wraps what use-cases are given. */
  readonly deps?: (deps: Deps, system: System) => Deps;
  /** Wraps the sweeps. */
  readonly sweeps?: (plan: SweepPlan, system: System) => SweepPlan;
}

/** The same process, whose provider does some things otherwise. */
export const withProviders = (
  deps: Deps,
  otherwise: (account: Providers) => {
    readonly voice?: Partial<Providers['voice']>;
    readonly media?: Partial<Providers['media']>;
  },
): Deps => ({
  ...deps,
  providers: async (accountId, asker) => {
    const account = await deps.providers(accountId, asker);
    const { voice, media } = otherwise(account);
    return { voice: { ...account.voice, ...voice }, media: { ...account.media, ...media } };
  },
});
