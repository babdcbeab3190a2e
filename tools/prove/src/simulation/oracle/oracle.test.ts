import { expect, it } from 'vitest';
import { DEFAULT_LEG, DEFAULT_SESSION } from '../database/default-rows.ts';
import { withProviders, type Mutation } from '../mutation.ts';
import { Oracle } from './oracle.ts';
import { withStatements } from '../planted-bugs.ts';
import { ALL_SWEEPS, runSimulation } from '../run.ts';
import { System } from '../system.ts';
import { Workload } from '../workload.ts';

/** Which rules a bug is seen to break, in a small world. */
async function broken(mutation: Omit<Mutation, 'name' | 'breaks'>): Promise<{ rules: Set<string>; says: string }> {
  const run = await runSimulation({
    seed: 3,
    days: 1,
    traffic: { meetingsPerDay: 20, openMs: 1_800_000 },
    mutation: { name: 'test', brokenRules: [], ...mutation },
  });
  expect(run.unexpectedErrors).toEqual([]);
  return {
    rules: new Set(run.violations.map(({ rule }) => rule)),
    says: run.violations.map(({ rule, message: says }) => `${rule}: ${says}`).join('\n'),
  };
}

it('a healthy system breaks no rule in the world of these tests', async () => {
  expect((await broken({})).says).toBe('');
});

it('I5: a dial that no commit decided is seen', async () => {
  const { rules, says } = await broken({
    deps: (deps) =>
      withProviders(deps, ({ media }) => ({
        media: {
          dialSip: async (dial) => {
            await media.dialSip(dial);
            return media.dialSip(dial);
          },
        },
      })),
  });
  expect([...rules]).toContain('I5');
  expect(says).toMatch(/I5: leg_\w+ was dialled and no commit had said so/);
});

it('I5: a dial that was decided when its session was over is seen', () => {
  const system = new System({ seed: 1, sweeps: ALL_SWEEPS });
  const oracle = new Oracle(system, new Workload(system));
  const { database } = system;
  const at = database.currentDate();
  const decide = (legId: string, state: 'live' | 'ending'): void => {
    const transaction = database.begin(() => undefined)!;
    database.tables.putSession({
      ...DEFAULT_SESSION,
      id: 'ses',
      tenant_id: 'ten',
      room_id: 'room',
      conversation: 'conv',
      media_session_id: 'media',
      due_at: at,
      due_reason: 'max-duration',
      created_at: at,
      state,
    });
    database.tables.putLeg({
      ...DEFAULT_LEG,
      id: legId,
      session_id: 'ses',
      kind: 'outbound',
      state: 'dialling',
      deadline_at: at,
      created_at: at,
    });
    database.commit(transaction);
    system.video.onDial!({
      mediaSessionId: 'media',
      number: '+442079460000',
      headers: {},
      data: JSON.stringify({ leg: legId }),
      expiresAt: at,
    });
  };
  decide('leg_1', 'live');
  expect(oracle.violations).toEqual([]);
  decide('leg_2', 'ending');
  expect(oracle.violations.map(({ rule, message: says }) => `${rule}: ${says}`)).toEqual([
    'I5: leg_2 was dialled for a session that was over when that was decided',
  ]);
});

it('I7: more requests than the outage explains are seen', async () => {
  const { rules, says } = await broken({
    deps: (deps) =>
      withProviders(deps, ({ voice }) => ({
        voice: {
          hangUp: async (id) => {
            await voice.hangUp(id);
            for (let n = 0; n < 8; n++) await voice.hangUp(id).catch(() => undefined);
          },
        },
      })),
  });
  expect([...rules]).toContain('I7');
  expect(says).toMatch(/I7: \d+ requests to hang \w+ up within [\d.]+ s: at most \d/);
});

it('I16: a leg that counts as live when the vendor has nothing of it is seen', async () => {
  const { rules, says } = await broken({
    faultProbabilities: { 'webhook-lost': 0.3 },
    deps: (deps) => withProviders(deps, () => ({ voice: { getCall: () => Promise.resolve(null) } })),
  });
  expect([...rules]).toContain('I16');
  expect(says).toMatch(/I16: leg \w+ counts as live \(ending\) and the vendor has nothing of it/);
});

it('I15: a record of a call that says other seconds than the vendor charges is seen', async () => {
  // Our own clock instead of the vendor's word, and its record is never asked for.
  const { rules, says } = await broken({
    faultProbabilities: { 'price-missing': 1, 'webhook-late': 1 },
    deps: (deps) =>
      withProviders(deps, ({ voice }) => ({
        voice: {
          getCall: async (id) => {
            const call = await voice.getCall(id);
            if (call?.event.kind !== 'call') return call;
            const { charge: _charge, ...event } = call.event;
            return { ...call, event };
          },
        },
      })),
  });
  expect([...rules]).toContain('I15');
  expect(says).toMatch(/I15: \w+ was charged for \d+ s, and our record of it says \d+/);
});

it('I15: a record of a connection that ends after it was seen to be gone, or begins before it came, is seen', async () => {
  const { rules, says } = await broken({
    faultProbabilities: { 'webhook-lost': 0.3 },
    deps: (deps) => ({
      ...deps,
      store: withStatements(deps.store, (query, run) =>
        query.name === 'store-cdr' && query.values![5] === 'media' && query.values![14] === 'look-up'
          ? run({ ...query, values: query.values!.map((value, i) => (i === 10 ? Number(value) + 300 : value)) })
          : run(query),
      ),
    }),
  });
  expect([...rules]).toEqual(['I15']);
  expect(says).toMatch(/I15: \w+ was seen for between \d+ and \d+ s, and our record of it says \d+/);
});
