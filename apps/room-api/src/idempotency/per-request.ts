import { AsyncLocalStorage } from 'node:async_hooks';
import type { ProviderRpc } from '@partyline/conference/providers/rpc-messages';
import type { Journal } from '@partyline/store/idempotency/journal';
import { withJournal } from '@partyline/store/database/store';
import type { ApiDeps } from '../deps.ts';
import type { Chance } from './seeded-chance.ts';

/** What a request with an Idempotency-Key does its work by. */
interface Once extends Chance {
  readonly journal: Journal;
}

const current = new AsyncLocalStorage<Once>();

/** Does the work of a request so that it is done once. */
export const doneOnce = <T>(once: Once, work: () => Promise<T>): Promise<T> => current.run(once, work);

/**
 * What the API's use-cases are given, such that within `doneOnce` their transactions and questions go through the request's journal and what they draw comes from its
 * seed. It is found by the request that is being answered and not handed on, so no route can forget it.
 */
export function perRequest<D extends Pick<ApiDeps, 'store' | 'ids' | 'secret' | 'random' | 'provider'>>(deps: D): D {
  const chance = (): Chance => current.getStore() ?? deps;
  return {
    ...deps,
    store: withJournal(deps.store, () => current.getStore()?.journal),
    ids: { next: (prefix) => chance().ids.next(prefix) },
    secret: () => chance().secret(),
    random: (below) => chance().random(below),
    provider: asked(deps.provider),
  };
}

/**
 * What the provider answered is part of what the request does: not asked again once something was made of it. Each question has an id of the request's own, drawn
 * whether or not it is asked this time, so that it has the same one however often the request is tried.
 */
function asked(provider: ProviderRpc): ProviderRpc {
  return new Proxy(provider, {
    get(target, name, receiver) {
      const question: unknown = Reflect.get(target, name, receiver);
      if (typeof question !== 'function') return question;
      return (input: unknown) => {
        const once = current.getStore();
        const id = once?.ids.next('req');
        const ask = (): Promise<unknown> => Reflect.apply(question, target, [input, id]) as Promise<unknown>;
        return once === undefined ? ask() : once.journal.read(ask);
      };
    },
  });
}
