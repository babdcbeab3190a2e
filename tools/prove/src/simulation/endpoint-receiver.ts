import type { PostEvent } from '@partyline/conference/endpoints/deliver-events';
import type { FaultProfile } from './provider/fault-profile.ts';
import type { Life } from './runtime/process.ts';
import type { Random } from './runtime/random.ts';

/** The secret of the simulated endpoint. */
export const ENDPOINT_SECRET = 'whsec_bm90IGEgc2VjcmV0LCBidXQgYW4gb3JhY2xl';

/** A tenant's server that receives events. Faults make it fail or time out. */
export class EndpointReceiver {
  readonly #faultProfile: FaultProfile;
  readonly #random: Random;

  constructor(faultProfile: FaultProfile, random: Random) {
    this.#faultProfile = faultProfile;
    this.#random = random;
  }

  createPost(life: Life): PostEvent {
    return () =>
      life.seam<number>('post event', () => {
        if (this.#faultProfile.shouldInject('receiver-fails')) return { ms: 50, value: 500 };
        if (this.#faultProfile.shouldInject('receiver-silent')) return { ms: 15_000, error: new Error('timeout') };
        return { ms: this.#random.between(5, 50), value: 200 };
      });
  }
}
