import type { AskProvider } from '@partyline/conference/ask-provider';
import type { Deps } from '@partyline/conference/deps';
import type { PinVault } from '@partyline/conference/pin-vault';
import type { RandomInt } from '@partyline/domain/clock';

/** What the API's use-cases are given. The vendor's credentials are not among it: `provider` asks the orchestrator. */
export interface ApiDeps extends Pick<Deps, 'store' | 'jobs' | 'clock' | 'ids' | 'report'> {
  readonly provider: AskProvider;
  readonly pins: PinVault;
  /** Cryptographic: PINs are drawn with it. */
  readonly random: RandomInt;
  /** Of this API, as its document says it. */
  readonly version: string;
}

export const DEPS = Symbol('API dependencies');
