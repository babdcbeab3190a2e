import type { AccountVault } from '@partyline/conference/providers/account-vault';
import type { ProviderRpc } from '@partyline/conference/providers/rpc-messages';
import type { Deps } from '@partyline/conference/deps';
import type { AddressPolicy } from '@partyline/conference/endpoints/check-address';
import type { EndpointSecrets } from '@partyline/conference/endpoints/endpoint-secrets';
import type { PinVault } from '@partyline/conference/pins/pin-vault';
import type { RequestVault } from '@partyline/conference/crypto/request-vault';
import type { PasswordOf } from '@partyline/conference/sip-accounts/sip-passwords';
import type { RandomInt } from '@partyline/domain/clock';
import type { OperatorKeys } from './auth/operator-key.ts';
import type { EventFeed } from './events/feed.ts';
import type { RequestMeter } from './limits/request-meter.ts';
import type { ConnectionDetails } from './provider-accounts/show.ts';

/**
 * The dependencies of the API. Provider requests go through `provider` to the orchestrator, with
 * encrypted credentials.
 */
export interface ApiDeps extends Pick<Deps, 'store' | 'jobs' | 'clock' | 'ids' | 'secret' | 'report'> {
  readonly provider: ProviderRpc;
  readonly pins: PinVault;
  /** Encrypts the credentials of tenants' provider accounts. */
  readonly accounts: AccountVault;
  readonly connectionDetails: ConnectionDetails;
  /** The passwords of tenants' SIP phones. */
  readonly sipPasswords: PasswordOf;
  readonly endpointSecrets: EndpointSecrets;
  /** Which URLs tenants can use for endpoints, and which hosts for trunks. */
  readonly addresses: AddressPolicy;
  readonly feed: EventFeed;
  /** Cryptographically secure: it generates PINs. */
  readonly random: RandomInt;
  readonly operators: OperatorKeys;
  /** The environment in keys, `pl_<env>_...`. Keys of another environment are rejected. */
  readonly keyEnv: string;
  /** Encrypts stored data of requests with an Idempotency-Key. */
  readonly requests: RequestVault;
  readonly requestMeter: RequestMeter;
  /** E.164 prefixes that nobody may dial. */
  readonly blockedDestinations?: readonly string[];
  /** The limit of requests per minute and address without a valid key. */
  readonly unauthenticatedPerMinute: number;
  /** The version in the OpenAPI document. */
  readonly version: string;
}

export const DEPS = Symbol('API dependencies');
