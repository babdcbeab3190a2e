import type { Deps, Providers } from '@partyline/conference/deps';
import type { FaultProbabilities } from './provider/fault-profile.ts';
import type { SweepPlan } from './sweeps.ts';
import type { System } from './system.ts';

/** A planted bug: wraps the dependencies of the use-cases and changes one behaviour. */
export interface Mutation {
  readonly name: string;
  /** The oracle's rules that the bug must break. Other violations do not count. */
  readonly brokenRules: readonly string[];
  /** The bug concerns calls at our own gateways. Default: false. */
  readonly isSelfHosted?: boolean;
  /** Fault probabilities at which the bug has an effect soon. */
  readonly faultProbabilities?: Partial<FaultProbabilities>;
  readonly deps?: (deps: Deps, system: System) => Deps;
  readonly sweeps?: (plan: SweepPlan, system: System) => SweepPlan;
}

/** The same dependencies with some methods of the providers replaced. */
export const withProviders = (
  deps: Deps,
  override: (account: Providers) => {
    readonly voice?: Partial<Providers['voice']>;
    readonly media?: Partial<Providers['media']>;
  },
): Deps => ({
  ...deps,
  providers: async (accountId, context) => {
    const account = await deps.providers(accountId, context);
    const { voice, media } = override(account);
    return { voice: { ...account.voice, ...voice }, media: { ...account.media, ...media } };
  },
});
