import { applyLegEvent } from '@partyline/conference/legs/apply-leg-event';
import { verdict } from '@partyline/domain/verdict';
import { ProviderError } from '@partyline/provider-contract/provider-error';
import type { Deps } from '@partyline/conference/deps';
import type { Scope, Store } from '@partyline/store/database/store';
import { withProviders, type Mutation } from './mutation.ts';
import type { System } from './system.ts';

/*
 * The twelve planted bugs (reliability.md (d) stage 4): the real thing with one thing wrong, each put in from outside by wrapping what
 * the use-cases are given, so that the code under test stays as it is.
 */

type Query = { name?: string; text: string; values?: readonly unknown[] };
type Answer = { rows: Record<string, unknown>[]; rowCount: number };

/** A store whose statements pass through `change`, on pool and connections alike. */
export function withStatements(
  store: Store,
  change: (query: Query, run: (query: Query) => Promise<Answer>) => Promise<Answer>,
): Store {
  const single = (scope: Scope, query: Query): Promise<Answer> =>
    store.query(scope, query as never) as unknown as Promise<Answer>;
  const real = store.pool as unknown as {
    query(q: Query | string): Promise<Answer>;
    connect(): Promise<{ query(q: Query | string): Promise<Answer>; release(error?: Error): void }>;
  };
  const through = (run: (q: Query | string) => Promise<Answer>) => (query: Query | string) =>
    typeof query === 'string' ? run(query) : change(query, run);
  const pool = {
    query: through((q) => real.query(q)),
    connect: async () => {
      const connection = await real.connect();
      return { query: through((q) => connection.query(q)), release: (error?: Error) => connection.release(error) };
    },
  };
  const query = (scope: Scope, asked: Query): Promise<Answer> => change(asked, (q) => single(scope, q));
  return { pool, query, prisma: store.prisma, close: () => store.close() } as unknown as Store;
}

/** Ends a leg's row by our own word. */
async function closeWithoutObservation(deps: Deps, callId: string): Promise<void> {
  await applyLegEvent(
    deps,
    { via: 'look-up', accountId: null },
    { kind: 'call', callId, phase: 'over', verdict: verdict('success', 'assumed'), at: null },
  );
}

export const PLANTED_BUGS: readonly Mutation[] = [
  {
    name: 'no confirm read',
    brokenRules: ['I2'],
    // A hang-up that was taken counts as done.
    deps: (deps) =>
      withProviders(deps, ({ voice }) => ({
        voice: {
          hangUp: async (id) => {
            await voice.hangUp(id);
            await closeWithoutObservation(deps, id);
          },
        },
      })),
  },
  {
    name: '404 closes',
    brokenRules: ['I2'],
    deps: (deps) =>
      withProviders(deps, ({ voice }) => ({
        voice: {
          hangUp: (id) =>
            voice.hangUp(id).catch(async (error: unknown) => {
              if (error instanceof ProviderError && error.failure === 'not-found') await closeWithoutObservation(deps, id);
              throw error;
            }),
        },
      })),
  },
  {
    name: 'retry cap',
    brokenRules: ['I1'],
    // A leg that was asked for often enough is given up. Twice and not five times: the simulated vendor takes the second request nearly always.
    deps: (deps) => ({
      ...deps,
      store: withStatements(deps.store, async (query, run) => {
        const answer = await run(query);
        if (query.name !== 'lock-leg') return answer;
        return {
          ...answer,
          rows: answer.rows.map((row) =>
            Number(row['hangup_attempts']) >= 2 && row['state'] === 'ending' ? { ...row, lease_until: new Date(8e15) } : row,
          ),
        };
      }),
    }),
  },
  {
    name: 'reaper frozen clock',
    brokenRules: ['I1'],
    // The reconciler's `now` is the instant at which its process began.
    sweeps: (plan, system) => {
      const began = system.scheduler.now;
      return {
        ...plan,
        reconcile: (deps) =>
          plan.reconcile({
            ...deps,
            store: withStatements(deps.store, (query, run) => {
              if (query.name?.startsWith('owed-') !== true) return run(query);
              const [graceS, ...rest] = query.values!;
              return run({ ...query, values: [Number(graceS) + (system.scheduler.now - began) / 1000, ...rest] });
            }),
          }),
      };
    },
  },
  {
    name: 'reaper reaps live',
    brokenRules: ['I6'],
    // Whatever call the list holds that joined a while ago is hung up.
    sweeps: (plan) => ({
      ...plan,
      inventory: async (deps) => {
        await plan.inventory(deps);
        const { voice } = await deps.providers(null);
        for (const call of await voice.listLiveCalls())
          if (call.event.kind === 'call' && call.event.phase === 'answered')
            await voice.hangUp(call.callId).catch(() => undefined);
      },
    }),
  },
  {
    name: 'lost outbox',
    brokenRules: ['I14'],
    // Events are written outside of the change's transaction, and now and then not at all.
    deps: (deps, system) => ({
      ...deps,
      store: withStatements(deps.store, (query, run) =>
        query.name === 'append-events' && system.scheduler.count % 50 === 0
          ? Promise.resolve({ rows: [], rowCount: 0 })
          : run(query),
      ),
    }),
  },
  {
    name: 'no fencing',
    brokenRules: ['I7'],
    // Every attempt finds the leg free.
    deps: (deps) => ({
      ...deps,
      store: withStatements(deps.store, async (query, run) => {
        const answer = await run(query);
        if (query.name !== 'lock-leg') return answer;
        return { ...answer, rows: answer.rows.map((row) => ({ ...row, lease_until: null, hangup_attempted_at: null })) };
      }),
    }),
  },
  {
    name: 'dedupe in Redis only',
    brokenRules: ['I13'],
    // Used tokens are kept in Redis alone: after a flush, the same webhook is taken again. It takes a flush between the two.
    faultProbabilities: { 'webhook-doubled': 0.6 },
    deps: (deps, system) => ({
      ...deps,
      store: withStatements(deps.store, async (query, run) => {
        if (query.name !== 'use-webhook-token') return run(query);
        const usedTokens = findUsedTokens(system);
        const first = !usedTokens.has(query.values![0]);
        usedTokens.add(query.values![0]);
        return { rows: [], rowCount: first ? 1 : 0 };
      }),
    }),
  },
  {
    name: 'loop aborts on first error',
    brokenRules: ['I1'],
    // A leg or a call that cannot be had ends the round, and the loop with it, until the process is started again.
    sweeps: (plan) => {
      const warn = (message: string): never => {
        throw new Error(message);
      };
      let dead = false;
      const fragile =
        (run: (deps: Deps) => Promise<unknown>) =>
        async (deps: Deps): Promise<void> => {
          if (dead) return;
          try {
            await run({ ...deps, report: { ...deps.report, warn } });
          } catch {
            dead = true;
          }
        };
      return { ...plan, reconcile: fragile(plan.reconcile), inventory: fragile(plan.inventory) };
    },
  },
  {
    name: 'partial list = absence',
    brokenRules: ['I2'],
    // What the list lacks is over, without a second look. Lists that lack something are rare: here one in ten does.
    faultProbabilities: { 'list-omits': 0.1 },
    sweeps: (plan) => ({
      ...plan,
      inventory: async (deps) => {
        await plan.inventory(
          withProviders(deps, () => ({
            voice: {
              getCall: async (callId) => ({
                callId,
                calledNumber: null,
                over: true,
                event: {
                  kind: 'call',
                  callId,
                  phase: 'over',
                  verdict: verdict('indeterminate', 'not-in-list'),
                  at: null,
                },
              }),
            },
          })),
        );
      },
    }),
  },
  {
    name: 'timer unset',
    brokenRules: ['I4'],
    deps: (deps) =>
      withProviders(deps, ({ voice }) => ({
        voice: { createCall: (input) => voice.createCall({ ...input, lengthTimerS: 7_200, ringingTimerS: 120 }) },
      })),
  },
  {
    name: 'scheduler-only sweep',
    brokenRules: ['I1'],
    // The sweeps are repeated by a scheduler of the queue: a flush stops them for good.
    sweeps: (plan, system) => {
      const scheduled = (run: (deps: Deps) => Promise<unknown>) => async (deps: Deps) =>
        system.queue.flushCount > 0 || system.queue.isDown ? undefined : run(deps);
      return { ...plan, reconcile: scheduled(plan.reconcile), inventory: scheduled(plan.inventory) };
    },
  },
];

/** What Redis would hold: gone with each flush. */
const used = new WeakMap<System, { flushes: number; tokens: Set<unknown> }>();
function findUsedTokens(system: System): Set<unknown> {
  let held = used.get(system);
  if (held === undefined || held.flushes !== system.queue.flushCount)
    used.set(system, (held = { flushes: system.queue.flushCount, tokens: new Set() }));
  return held.tokens;
}

export const findPlantedBug = (name: string): Mutation => {
  const found = PLANTED_BUGS.find((each) => each.name === name);
  if (found === undefined) throw new Error(`no planted bug is called ${name}`);
  return found;
};
