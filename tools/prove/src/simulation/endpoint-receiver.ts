import type { EventRequest, PostEvent } from '@partyline/conference/endpoints/deliver-events';
import type { Life } from './runtime/process.ts';
import type { Random } from './runtime/random.ts';
import type { FaultProfile } from './provider/fault-profile.ts';

/** What a tenant's events are signed with. */
export const ENDPOINT_SECRET = 'whsec_bm90IGEgc2VjcmV0LCBidXQgYW4gb3JhY2xl';

/** A tenant's own server, which is told of events: it counts what it is given, and is away or slow like anybody's. */
export class EndpointReceiver {
  /** How often each event was taken, by its id, in the order of their first coming. */
  readonly taken = new Map<string, number>();
  /** Events that came before an earlier one of their session had. */
  outOfOrder = 0;
  readonly #lastOf = new Map<string, number>();
  readonly #weather: FaultProfile;
  readonly #random: Random;

  constructor(weather: FaultProfile, random: Random) {
    this.#weather = weather;
    this.#random = random;
  }

  createPost(life: Life): PostEvent {
    return (request) =>
      life.seam<number>('post event', () => {
        if (this.#weather.shouldInject('receiver-fails')) return { ms: 50, value: 500 };
        if (this.#weather.shouldInject('receiver-silent')) {
          if (this.#weather.shouldApplyRequest()) this.#take(request);
          return { ms: 15_000, error: new Error('timeout') };
        }
        this.#take(request);
        return { ms: this.#random.between(5, 50), value: 200 };
      });
  }

  #take({ headers, body }: EventRequest): void {
    const id = headers['webhook-id']!;
    const before = this.taken.get(id) ?? 0;
    this.taken.set(id, before + 1);
    if (before > 0) return;
    const { sessionId, seq } = JSON.parse(body) as { sessionId: string; seq: number };
    if (seq !== (this.#lastOf.get(sessionId) ?? 0) + 1) this.outOfOrder += 1;
    this.#lastOf.set(sessionId, seq);
  }
}
