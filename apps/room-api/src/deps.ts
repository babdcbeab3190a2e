import type { AccountVault } from '@partyline/conference/providers/account-vault';
import type { ProviderRpc } from '@partyline/conference/providers/rpc-messages';
import type { Deps } from '@partyline/conference/deps';
import type { AddressPolicy } from '@partyline/conference/endpoints/check-address';
import type { EndpointSecrets } from '@partyline/conference/endpoints/endpoint-secrets';
import type { PinVault } from '@partyline/conference/pins/pin-vault';
import type { RequestVault } from '@partyline/conference/crypto/request-vault';
import type { RandomInt } from '@partyline/domain/clock';
import type { OperatorKeys } from './auth/operator-key.ts';
import type { EventFeed } from './events/feed.ts';
import type { RequestMeter } from './limits/request-meter.ts';

/** What the API's use-cases are given. It asks no vendor itself: `provider` asks the orchestrator, and credentials go there sealed. */
export interface ApiDeps extends Pick<Deps, 'store' | 'jobs' | 'clock' | 'ids' | 'secret' | 'report'> {
  readonly provider: ProviderRpc;
  readonly pins: PinVault;
  /** Seals the credentials of tenants' own accounts. */
  readonly accounts: AccountVault;
  /** What to set at the vendor of such an account. */
  readonly accountAddresses: (accountId: string) => { answer: string; events: string; videoEvents: string };
  readonly endpointSecrets: EndpointSecrets;
  /** Where tenants' events may be sent. */
  readonly addresses: AddressPolicy;
  readonly feed: EventFeed;
  /** Cryptographic: PINs are drawn with it. */
  readonly random: RandomInt;
  readonly operators: OperatorKeys;
  /** What keys name as their environment, `pl_<env>_…`; those that name another are not taken. */
  readonly keyEnv: string;
  /** Seals what is kept of requests with an Idempotency-Key. */
  readonly requests: RequestVault;
  readonly requestMeter: RequestMeter;
  /** Requests in a minute from one address that come without a good key. */
  readonly unauthenticatedPerMinute: number;
  /** Of this API, as its document says it. */
  readonly version: string;
}

export const DEPS = Symbol('API dependencies');
