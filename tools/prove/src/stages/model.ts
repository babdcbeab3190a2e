import { LEG_KINDS, type LegKind } from '@partyline/domain/leg';
import fc from 'fast-check';
import { applySteps, createView, finalState, sessionStep, type SessionStep } from '../model/session-model.ts';
import { Totals } from '../simulation/oracle/totals.ts';
import { runInWorkers } from '../simulation/worker-pool.ts';
import { listShortfalls } from './required-amounts.ts';
import { SMALL_SYSTEM } from './simulate.ts';
import { replayCommand, type Stage } from './stage.ts';

const HISTORY_COUNT = { quick: 12_000, full: 24_000 };
const SHUFFLE_COUNT = { quick: 3_000, full: 8_000 };
const INTERLEAVED_COUNT = { quick: 16, full: 120 };

/** The provider's complete statements about one leg of each kind, in order. */
const LEG_FACTS: Record<LegKind, readonly SessionStep[]> = {
  webrtc: [
    { kind: 'attach-id', leg: 0, handle: 'media_connection_id' },
    { kind: 'event', leg: 0, event: 'joined' },
    { kind: 'close', leg: 0, handle: 'media' },
  ],
  inbound: [
    { kind: 'attach-id', leg: 0, handle: 'voice_call_id' },
    { kind: 'event', leg: 0, event: 'answered' },
    { kind: 'event', leg: 0, event: 'joined' },
    { kind: 'close', leg: 0, handle: 'voice' },
  ],
  outbound: [
    { kind: 'event', leg: 0, event: 'dialSent' },
    { kind: 'attach-id', leg: 0, handle: 'voice_call_id' },
    { kind: 'event', leg: 0, event: 'ringing' },
    { kind: 'event', leg: 0, event: 'answered' },
    { kind: 'close', leg: 0, handle: 'voice' },
  ],
  bridge: [
    { kind: 'event', leg: 0, event: 'dialSent' },
    { kind: 'attach-id', leg: 0, handle: 'media_connection_id' },
    { kind: 'event', leg: 0, event: 'ringing' },
    { kind: 'attach-id', leg: 0, handle: 'voice_call_id' },
    { kind: 'event', leg: 0, event: 'answered' },
    { kind: 'close', leg: 0, handle: 'sip' },
    { kind: 'close', leg: 0, handle: 'media' },
    { kind: 'close', leg: 0, handle: 'voice' },
  ],
};

/**
 * Checks random histories of a session against its rules, the facts of a leg in every order, and
 * small systems in which every statement is an event of its own.
 */
export const model: Stage = async ({ seed, quick, log }) => {
  const mode = quick ? 'quick' : 'full';
  const problems: string[] = [];
  const clock = fc.option(fc.integer({ min: 1, max: 600 }), { nil: null });
  const histories = fc.check(
    fc.property(
      fc.record({ empty_s: clock, alone_s: clock, never_used_s: clock }),
      fc.array(sessionStep, { maxLength: 40 }),
      (clocks, steps) => void applySteps(createView(clocks), steps),
    ),
    { seed, numRuns: HISTORY_COUNT[mode] },
  );
  if (histories.failed) problems.push(`a history breaks a rule: ${fc.defaultReportMessage(histories) ?? ''}`);
  log(`  ${histories.numRuns} random histories of a session`);

  const anyOrder = fc.constantFrom(...LEG_KINDS).chain((kind) =>
    fc.record({
      kind: fc.constant(kind),
      facts: fc.shuffledSubarray([...LEG_FACTS[kind], ...LEG_FACTS[kind], ...LEG_FACTS[kind]], {
        minLength: LEG_FACTS[kind].length,
      }),
    }),
  );
  const shuffles = fc.check(
    fc.property(anyOrder, fc.boolean(), ({ kind, facts }, ends) => {
      // A look-up finds the terminal facts in the end, even if their webhooks were lost.
      const complete = [
        ...facts,
        ...LEG_FACTS[kind].filter((fact) => fact.kind === 'attach-id' || fact.kind === 'close'),
      ];
      return finalState(kind, ends ? [{ kind: 'end' }, ...complete] : complete) === 'ended';
    }),
    { seed, numRuns: SHUFFLE_COUNT[mode] },
  );
  if (shuffles.failed)
    problems.push(`an order of facts does not end the leg: ${fc.defaultReportMessage(shuffles) ?? ''}`);
  log(`  ${shuffles.numRuns} orders of the facts of a leg, with duplicates`);

  const totals = new Totals();
  let seedCount = 0;
  await runInWorkers(
    () =>
      seedCount < INTERLEAVED_COUNT[mode]
        ? { seed: seed * 100_000 + 50_000 + (seedCount += 1), days: 1, ...SMALL_SYSTEM }
        : null,
    (run) => totals.add(run),
  );
  log(`  ${totals.runs} small systems with interleaved statements, ${totals.legs} legs`);
  problems.push(
    ...totals.failedSeeds.map(
      (failed) => `interleaved seed ${failed.seed}: ${failed.message} (${replayCommand(failed.seed)} --fine)`,
    ),
  );
  const modelSequences = histories.numRuns + shuffles.numRuns;
  return {
    problems: [...problems, ...listShortfalls(quick, { modelSequences })],
    summary: {},
    details: { modelSequences, interleavedSystems: totals.runs },
  };
};
