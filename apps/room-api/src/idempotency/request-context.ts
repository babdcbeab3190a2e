import { AsyncLocalStorage } from 'node:async_hooks';
import type { ProviderRpc } from '@partyline/conference/providers/rpc-messages';
import { withJournal } from '@partyline/store/database/store';
import type { Journal } from '@partyline/store/idempotency/journal';
import type { ApiDeps } from '../deps.ts';
import type { RandomSources } from './seeded-random.ts';

/** What makes a request with an Idempotency-Key repeatable: its journal and its randomness. */
interface RequestContext extends RandomSources {
  readonly journal: Journal;
}

const current = new AsyncLocalStorage<RequestContext>();

/** Runs the work of a request in its context. */
export const runWithContext = <T>(context: RequestContext, work: () => Promise<T>): Promise<T> =>
  current.run(context, work);

/**
 * Binds dependencies to the context of the current request: within `runWithContext`, transactions
 * and provider calls go through its journal, and ids and randomness come from its seed. The context
 * is found by the async call chain, so no route can bypass it.
 */
export function bindRequestContext<D extends Pick<ApiDeps, 'store' | 'ids' | 'secret' | 'random' | 'provider'>>(
  deps: D,
): D {
  const sources = (): RandomSources => current.getStore() ?? deps;
  return {
    ...deps,
    store: withJournal(deps.store, () => current.getStore()?.journal),
    ids: { next: (prefix) => sources().ids.next(prefix) },
    secret: () => sources().secret(),
    random: (below) => sources().random(below),
    provider: journalProviderCalls(deps.provider),
  };
}

/**
 * Records provider answers in the journal, so that a resumed request does not repeat the call. Each
 * call draws an id from the seed even if it is not made, so that the ids of all attempts are equal.
 */
function journalProviderCalls(provider: ProviderRpc): ProviderRpc {
  return new Proxy(provider, {
    get(target, name, receiver) {
      const method: unknown = Reflect.get(target, name, receiver);
      if (typeof method !== 'function') return method;
      return (input: unknown) => {
        const context = current.getStore();
        const id = context?.ids.next('req');
        const call = (): Promise<unknown> => Reflect.apply(method, target, [input, id]) as Promise<unknown>;
        return context === undefined ? call() : context.journal.read(call);
      };
    },
  });
}
