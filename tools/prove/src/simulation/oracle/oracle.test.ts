import { describe, expect, it } from 'vitest';
import { DEFAULT_LEG, DEFAULT_SESSION } from '../database/default-rows.ts';
import { withProviders, type Mutation } from '../mutation.ts';
import { findPlantedBug, withStatements } from '../planted-bugs.ts';
import { ALL_SWEEPS, runSimulation } from '../run.ts';
import { System } from '../system.ts';
import { Workload } from '../workload.ts';
import { Oracle } from './oracle.ts';

/** Runs a small simulation with the mutation. Returns the broken rules and their messages. */
async function findViolations(
  mutation: Omit<Mutation, 'name' | 'brokenRules'>,
): Promise<{ rules: Set<string>; messages: string }> {
  const run = await runSimulation({
    seed: 3,
    days: 1,
    traffic: { meetingsPerDay: 20, openMs: 1_800_000 },
    mutation: { name: 'test', brokenRules: [], ...mutation },
  });
  expect(run.unexpectedErrors).toEqual([]);
  return {
    rules: new Set(run.violations.map(({ rule }) => rule)),
    messages: run.violations.map(({ rule, message }) => `${rule}: ${message}`).join('\n'),
  };
}

describe('the oracle', () => {
  it('finds no violation without a mutation', async () => {
    expect((await findViolations({})).messages).toBe('');
  });

  it('I4: detects a caller without a deadline at our own gateways', async () => {
    const { messages } = await findViolations(findPlantedBug('no deadline of callers'));
    expect(messages).toMatch(/I4: inbound call_\w+ joined without a deadline/);
  });

  it('I21: detects a mute that has no effect', async () => {
    const { rules } = await findViolations({
      isSelfHosted: true,
      deps: (deps) => withProviders(deps, () => ({ media: { mute: () => Promise.resolve() } })),
    });
    expect([...rules]).toContain('I21');
  });

  it('I5: detects a dial without a committed decision', async () => {
    const { rules, messages } = await findViolations({
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
    expect(messages).toMatch(/I5: leg_\w+ was dialled without a committed decision/);
  });

  it('I5: detects a dial that was decided after the end of its session', () => {
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
    expect(oracle.violations.map(({ rule, message }) => `${rule}: ${message}`)).toEqual([
      'I5: leg_2 was dialled although its session was over when that was decided',
    ]);
  });

  it('I6: detects a session that neither its tenant nor its participants ended', async () => {
    // The longest duration is halved.
    const { rules, messages } = await findViolations({
      deps: (deps) => ({
        ...deps,
        store: withStatements(deps.store, async (query, run) => {
          const answer = await run(query);
          if (query.name !== 'room-of-session') return answer;
          return {
            ...answer,
            rows: answer.rows.map((row) => ({ ...row, max_duration_s: Number(row['max_duration_s']) / 2 })),
          };
        }),
      }),
    });
    expect([...rules]).toContain('I6');
    expect(messages).toMatch(/I6: session \w+ was ended at [\w:.]+ \(max-duration\), which neither .* were hung up/);
  });

  it('I7: detects more hang-up requests than the outage explains', async () => {
    const { rules, messages } = await findViolations({
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
    expect(messages).toMatch(/I7: \d+ hang-up requests for \w+ within [\d.]+ s; at most \d/);
  });

  it('I16: detects a leg that counts as live but is not live at the provider', async () => {
    const { rules, messages } = await findViolations({
      faultProbabilities: { 'webhook-lost': 0.3 },
      deps: (deps) => withProviders(deps, () => ({ voice: { getCall: () => Promise.resolve(null) } })),
    });
    expect([...rules]).toContain('I16');
    expect(messages).toMatch(/I16: leg \w+ counts as live \(ending\) but is not live at the provider/);
  });

  it('I15: detects a call record with other seconds than the provider billed', async () => {
    // The call record has the times of our own clock, since the provider's record has no charge.
    const { rules, messages } = await findViolations({
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
    expect(messages).toMatch(/I15: \w+ was billed for \d+ s but is recorded with \d+ s/);
  });

  it('I15: detects a connection record that starts before or ends after the observed times', async () => {
    const { rules, messages } = await findViolations({
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
    expect(messages).toMatch(/I15: \w+ was observed for \d+ to \d+ s but is recorded with \d+ s/);
  });
});
