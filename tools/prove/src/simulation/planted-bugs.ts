import { applyLegEvent } from '@partyline/conference/legs/apply-leg-event';
import { verdict } from '@partyline/domain/verdict';
import { ProviderError } from '@partyline/provider-contract/provider-error';
import type { Deps } from '@partyline/conference/deps';
import type { Scope, Store } from '@partyline/store/database/store';
import { withProviders, type Mutation } from './mutation.ts';
import type { System } from './system.ts';

/*
 * The seventeen planted bugs (docs/guarantee.md). Each wraps the dependencies of the
 * use-cases, so that the code under test is unchanged.
 */

type Query = { name?: string; text: string; values?: readonly unknown[] };
type Answer = { rows: Record<string, unknown>[]; rowCount: number };

/** A store whose statements pass through `change`, on the pool and on connections. */
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
  const query = (scope: Scope, statement: Query): Promise<Answer> => change(statement, (q) => single(scope, q));
  return { ...store, pool, query } as unknown as Store;
}

/** Closes the row of a leg without an observation of the provider. */
async function closeWithoutObservation(deps: Deps, callId: string): Promise<void> {
  await applyLegEvent(
    deps,
    { via: 'look-up', accountId: null },
    { kind: 'call', callId, phase: 'over', verdict: verdict('success', 'assumed'), at: null },
  );
}

/** The limit of other products, which the guarantee rules out. */
const MAX_PLANTED_ATTEMPTS = 5;

export const PLANTED_BUGS: readonly Mutation[] = [
  {
    name: 'no confirmation',
    brokenRules: ['I2'],
    // An accepted hang-up counts as confirmed.
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
              if (error instanceof ProviderError && error.failure === 'not-found')
                await closeWithoutObservation(deps, id);
              throw error;
            }),
        },
      })),
  },
  {
    name: 'limited retries',
    brokenRules: ['I1'],
    // Hang-ups stop after five attempts. The provider ignores half of them.
    faultProbabilities: { 'accepted-but-alive': 0.5 },
    deps: (deps) => ({
      ...deps,
      store: withStatements(deps.store, async (query, run) => {
        const answer = await run(query);
        if (query.name !== 'lock-leg') return answer;
        return {
          ...answer,
          rows: answer.rows.map((row) =>
            Number(row['hangup_attempts']) >= MAX_PLANTED_ATTEMPTS && row['state'] === 'ending'
              ? { ...row, lease_until: new Date(8e15) }
              : row,
          ),
        };
      }),
    }),
  },
  {
    name: 'frozen reconciler clock',
    brokenRules: ['I1'],
    // The reconciler's `now` is the start of its process.
    sweeps: (plan, system) => {
      const startedAt = system.scheduler.now;
      return {
        ...plan,
        reconcile: (deps) =>
          plan.reconcile({
            ...deps,
            store: withStatements(deps.store, (query, run) => {
              if (query.name?.startsWith('due-') !== true) return run(query);
              const [graceS, ...rest] = query.values!;
              const ageS = (system.scheduler.now - startedAt) / 1000;
              return run({ ...query, values: [Number(graceS) + ageS, ...rest] });
            }),
          }),
      };
    },
  },
  {
    name: 'inventory hangs up live calls',
    brokenRules: ['I6'],
    // The inventory hangs up every answered call.
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
    name: 'lost events',
    brokenRules: ['I14'],
    // Some events are not stored.
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
    // No attempt observes the lease of another.
    deps: (deps) => ({
      ...deps,
      store: withStatements(deps.store, async (query, run) => {
        const answer = await run(query);
        if (query.name !== 'lock-leg') return answer;
        return {
          ...answer,
          rows: answer.rows.map((row) => ({ ...row, lease_until: null, hangup_attempted_at: null })),
        };
      }),
    }),
  },
  {
    name: 'used tokens in Redis only',
    brokenRules: ['I13'],
    // Used tokens are stored in Redis only. After a flush, a duplicate webhook takes effect.
    faultProbabilities: { 'webhook-duplicate': 0.6 },
    deps: (deps, system) => ({
      ...deps,
      store: withStatements(deps.store, async (query, run) => {
        if (query.name !== 'use-webhook-token') return run(query);
        const tokens = findUsedTokens(system);
        const isFirst = !tokens.has(query.values![0]);
        tokens.add(query.values![0]);
        return { rows: [], rowCount: isFirst ? 1 : 0 };
      }),
    }),
  },
  {
    name: 'loop ends at first error',
    brokenRules: ['I1'],
    // The first failed leg or call ends the loop until the process restarts.
    sweeps: (plan) => {
      const warn = (message: string): never => {
        throw new Error(message);
      };
      let hasEnded = false;
      const fragile =
        (run: (deps: Deps) => Promise<unknown>) =>
        async (deps: Deps): Promise<void> => {
          if (hasEnded) return;
          try {
            await run({ ...deps, report: { ...deps.report, warn } });
          } catch {
            hasEnded = true;
          }
        };
      return { ...plan, reconcile: fragile(plan.reconcile), inventory: fragile(plan.inventory) };
    },
  },
  {
    name: 'omitted call counts as ended',
    brokenRules: ['I2'],
    // A call that the list omits counts as ended. One list in ten omits a call.
    faultProbabilities: { 'list-omits-call': 0.1 },
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
    name: 'no provider timer',
    brokenRules: ['I4'],
    deps: (deps) =>
      withProviders(deps, ({ voice }) => ({
        voice: { createCall: (input) => voice.createCall({ ...input, lengthTimerS: 7_200, ringingTimerS: 120 }) },
      })),
  },
  {
    name: 'clock without a reset',
    brokenRules: ['I6'],
    // A clock that stopped keeps its first start, so the next one expires too early.
    deps: (deps) => {
      const firstStarts = new Map<unknown, unknown>();
      return {
        ...deps,
        store: withStatements(deps.store, async (query, run) => {
          const answer = await run(query);
          const [row] = answer.rows;
          if (query.name !== 'lock-session' || row === undefined) return answer;
          const first = firstStarts.get(row['id']) ?? row['alone_since'];
          firstStarts.set(row['id'], first);
          return { ...answer, rows: [{ ...row, alone_since: first }] };
        }),
      };
    },
  },
  {
    name: 'reported departures are believed',
    brokenRules: ['I6'],
    // The clock of a departure ends its session although the provider was not asked.
    faultProbabilities: { 'false-disconnected': 0.2, 'false-completed': 0.2 },
    deps: (deps) => ({
      ...deps,
      store: withStatements(deps.store, async (query, run) => {
        const answer = await run(query);
        if (query.name !== 'lock-session') return answer;
        return { ...answer, rows: answer.rows.map((row) => ({ ...row, presence_checked_at: new Date(8e15) })) };
      }),
    }),
  },
  {
    name: 'departures start no clock',
    brokenRules: ['I1'],
    deps: (deps) => ({
      ...deps,
      store: withStatements(deps.store, async (query, run) => {
        const answer = await run(query);
        if (query.name !== 'room-of-session') return answer;
        const off = { alone_s: null, empty_s: null, browsers_left_s: null, phones_left_s: null };
        return { ...answer, rows: answer.rows.map((row) => ({ ...row, ...off })) };
      }),
    }),
  },
  {
    name: 'sweeps by repeatable jobs',
    brokenRules: ['I1'],
    // A repeatable job runs the sweeps. A flush stops them permanently.
    sweeps: (plan, system) => {
      const scheduled = (run: (deps: Deps) => Promise<unknown>) => async (deps: Deps) =>
        system.queue.flushCount > 0 || system.queue.isDown ? undefined : run(deps);
      return { ...plan, reconcile: scheduled(plan.reconcile), inventory: scheduled(plan.inventory) };
    },
  },
  {
    name: 'deadlines are not moved',
    brokenRules: ['I6'],
    isSelfHosted: true,
    // A prolonged session loses its calls at its first end.
    deps: (deps) => withProviders(deps, () => ({ voice: { setDeadline: () => Promise.resolve() } })),
  },
  {
    name: 'no deadline of callers',
    brokenRules: ['I4'],
    isSelfHosted: true,
    deps: (deps) =>
      withProviders(deps, ({ voice }) => ({
        voice: {
          renderPlan: (plan) =>
            voice.renderPlan(
              plan.map((step) => {
                if (step.do !== 'join') return step;
                const { deadline: _deadline, ...join } = step;
                return join;
              }),
            ),
        },
      })),
  },
];

/** The used tokens in Redis. Each flush deletes them. */
const tokensBySystem = new WeakMap<System, { flushCount: number; tokens: Set<unknown> }>();
function findUsedTokens(system: System): Set<unknown> {
  const { flushCount } = system.queue;
  let stored = tokensBySystem.get(system);
  if (stored === undefined || stored.flushCount !== flushCount)
    tokensBySystem.set(system, (stored = { flushCount, tokens: new Set() }));
  return stored.tokens;
}

export const findPlantedBug = (name: string): Mutation => {
  const found = PLANTED_BUGS.find((each) => each.name === name);
  if (found === undefined)
    throw new Error(
      `the planted bug "${name}" does not exist. Use one of: ${PLANTED_BUGS.map((each) => each.name).join(', ')}`,
    );
  return found;
};
