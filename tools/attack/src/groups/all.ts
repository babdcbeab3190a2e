import { captureDeliveries } from '../capture-deliveries.ts';
import type { Group } from '../group.ts';
import { openRpcLink } from '../open-rpc-link.ts';
import { workspaceRoot } from '@partyline/dev/workspace';
import { credentialEncryption } from './credential-encryption.ts';
import { accountWebhooks } from './account-webhooks.ts';
import { apiKeys } from './api-keys.ts';
import { callers } from './callers.ts';
import { canaries } from './canaries.ts';
import { databases } from './databases.ts';
import { dialOutFraud } from './dial-out-fraud.ts';
import { pinEncryption } from './pin-encryption.ts';
import { edges } from './edges.ts';
import { eventFuzz } from './event-fuzz.ts';
import { eventSignatures } from './event-signatures.ts';
import { forgedLegs } from './forged-legs.ts';
import { forgedRequests } from './forged-requests.ts';
import { gatewaySocket } from './gateway-socket.ts';
import { histories } from './histories.ts';
import { matrix } from './matrix.ts';
import { pinGuesses } from './pin-guesses.ts';
import { providerJwt } from './provider-jwt.ts';
import { quotas } from './quotas.ts';
import { sip } from './sip.ts';
import { rowLevelSecurity } from './row-level-security.ts';
import { ssrf } from './ssrf.ts';
import { openCheckout, supplyChain } from './supply-chain.ts';

/**
 * All groups in the order in which they run. The edges come first, because the lines for rejected
 * requests are limited per minute. The logs come last, because they hold traces of all others.
 */
export const GROUPS: readonly Group[] = [
  edges,
  providerJwt,
  accountWebhooks,
  forgedLegs,
  { ...forgedRequests, run: (target, tally) => forgedRequests.run(() => openRpcLink(target), tally) },
  eventFuzz,
  histories,
  {
    ...eventSignatures,
    run: (target, tally) => eventSignatures.run({ seed: target.seed, capture: () => captureDeliveries(target) }, tally),
  },
  ssrf,
  matrix,
  rowLevelSecurity,
  apiKeys,
  callers,
  pinGuesses,
  dialOutFraud,
  quotas,
  pinEncryption,
  credentialEncryption,
  databases,
  { ...supplyChain, run: (_target, tally) => supplyChain.run(openCheckout(workspaceRoot), tally) },
  sip,
  gatewaySocket,
  canaries,
];
