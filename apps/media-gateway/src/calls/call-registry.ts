import type { CallView } from '@partyline/provider-janus/wire';
import type { Call } from './call.ts';

/** How many ended calls are remembered, for look-ups. */
const MAX_ENDED = 5_000;

/** The live calls of this gateway, and the last ended ones. */
export class CallRegistry {
  readonly #live = new Map<string, Call>();
  readonly #ended = new Map<string, CallView>();

  add(call: Call): void {
    this.#live.set(call.facts.callId, call);
  }

  /** Moves an ended call out of the live ones. */
  retire(call: Call): void {
    const { callId } = call.facts;
    if (!this.#live.delete(callId)) return;
    this.#ended.set(callId, call.view());
    for (const oldest of this.#ended.keys()) {
      if (this.#ended.size <= MAX_ENDED) break;
      this.#ended.delete(oldest);
    }
  }

  findLive(callId: string): Call | undefined {
    return this.#live.get(callId);
  }

  /** Returns a live call or an ended one that is remembered. */
  find(callId: string): CallView | undefined {
    return this.#live.get(callId)?.view() ?? this.#ended.get(callId);
  }

  listLive(account?: string): readonly Call[] {
    const all = [...this.#live.values()];
    return account === undefined ? all : all.filter(({ facts }) => facts.account === account);
  }
}
