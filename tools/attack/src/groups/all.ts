import { captureDeliveries } from '../capture-deliveries.ts';
import type { Group } from '../group.ts';
import { workspaceRoot } from '@partyline/dev/workspace';
import { accountCredentials } from './account-credentials.ts';
import { accountWebhooks } from './account-webhooks.ts';
import { apiKeys } from './api-keys.ts';
import { canaries } from './canaries.ts';
import { dialOutFraud } from './dial-out-fraud.ts';
import { envelope } from './envelope.ts';
import { eventFuzz } from './event-fuzz.ts';
import { eventSignatures } from './event-signatures.ts';
import { histories } from './histories.ts';
import { matrix } from './matrix.ts';
import { pinGuesses } from './pin-guesses.ts';
import { providerJwt } from './provider-jwt.ts';
import { quotas } from './quotas.ts';
import { rowLevelSecurity } from './row-level-security.ts';
import { ssrf } from './ssrf.ts';
import { checkoutAt, supplyChain } from './supply-chain.ts';

/** In the order in which they run: the logs last, for they tell of all the others. */
export const GROUPS: readonly Group[] = [
  providerJwt,
  accountWebhooks,
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
  pinGuesses,
  dialOutFraud,
  quotas,
  envelope,
  accountCredentials,
  { ...supplyChain, run: (_target, tally) => supplyChain.run(checkoutAt(workspaceRoot), tally) },
  canaries,
];
