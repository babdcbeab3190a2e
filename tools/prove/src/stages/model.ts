import { LEG_KINDS, type LegKind } from '@partyline/domain/leg';
import fc from 'fast-check';
import { happening, newView, play, terminalState, type Happening } from '../model/session-model.ts';
import { runAll } from '../simulation/worker-pool.ts';
import { Totals } from '../simulation/oracle/totals.ts';
import { shortOf } from './required-amounts.ts';
import { INTERLEAVED as SMALL } from './simulate.ts';
import { replayCommand, type Stage } from './stage.ts';

const SEQUENCES = { quick: 12_000, full: 24_000 };
const SHUFFLES = { quick: 3_000, full: 8_000 };
const INTERLEAVED = { quick: 16, full: 120 };

/** What the vendor says of a leg's life, by its kind: all of it, in the order in which it happens. */
const LIVES: Record<LegKind, readonly Happening[]> = {
  webrtc: [
    { kind: 'learn', leg: 0, handle: 'media_connection_id' },
    { kind: 'event', leg: 0, event: 'joined' },
    { kind: 'over', leg: 0, handle: 'media' },
  ],
  inbound: [
    { kind: 'learn', leg: 0, handle: 'voice_call_id' },
    { kind: 'event', leg: 0, event: 'answered' },
    { kind: 'event', leg: 0, event: 'joined' },
    { kind: 'over', leg: 0, handle: 'voice' },
  ],
  outbound: [
    { kind: 'event', leg: 0, event: 'dialSent' },
    { kind: 'learn', leg: 0, handle: 'voice_call_id' },
    { kind: 'event', leg: 0, event: 'ringing' },
    { kind: 'event', leg: 0, event: 'answered' },
    { kind: 'over', leg: 0, handle: 'voice' },
  ],
  bridge: [
    { kind: 'event', leg: 0, event: 'dialSent' },
    { kind: 'learn', leg: 0, handle: 'media_connection_id' },
    { kind: 'event', leg: 0, event: 'ringing' },
    { kind: 'learn', leg: 0, handle: 'voice_call_id' },
    { kind: 'event', leg: 0, event: 'answered' },
    { kind: 'over', leg: 0, handle: 'sip' },
    { kind: 'over', leg: 0, handle: 'media' },
    { kind: 'over', leg: 0, handle: 'voice' },
  ],
};

/** Stages 1 and 2: random histories of a session against its rules; a leg's facts in every order; whole systems with every statement interleaved. */
export const model: Stage = async ({ seed, quick, log }) => {
  const mode = quick ? 'quick' : 'full';
  const troubles: string[] = [];
  const clock = fc.option(fc.integer({ min: 1, max: 600 }), { nil: null });
  const histories = fc.check(
    fc.property(
      fc.record({ empty_s: clock, alone_s: clock, never_used_s: clock }),
      fc.array(happening, { maxLength: 40 }),
      (clocks, happenings) => void play(newView(clocks), happenings),
    ),
    { seed, numRuns: SEQUENCES[mode] },
  );
  if (histories.failed) troubles.push(`a history breaks a rule: ${fc.defaultReportMessage(histories) ?? ''}`);
  log(`  ${histories.numRuns} random histories of a session`);

  const anyOrder = fc.constantFrom(...LEG_KINDS).chain((kind) =>
    fc.record({
      kind: fc.constant(kind),
      facts: fc.shuffledSubarray([...LIVES[kind], ...LIVES[kind], ...LIVES[kind]], { minLength: LIVES[kind].length }),
    }),
  );
  const shuffles = fc.check(
    fc.property(anyOrder, fc.boolean(), ({ kind, facts }, ends) => {
      // Whatever was lost, the terminal facts come at last: a look-up finds them.
      const told = [...facts, ...LIVES[kind].filter((fact) => fact.kind === 'learn' || fact.kind === 'over')];
      return terminalState(kind, ends ? [{ kind: 'end' }, ...told] : told) === 'ended';
    }),
    { seed, numRuns: SHUFFLES[mode] },
  );
  if (shuffles.failed) troubles.push(`an order of facts ends otherwise: ${fc.defaultReportMessage(shuffles) ?? ''}`);
  log(`  ${shuffles.numRuns} orders of a leg's facts, doubled and mixed`);

  const totals = new Totals();
  let given = 0;
  await runAll(
    () => (given < INTERLEAVED[mode] ? { seed: seed * 100_000 + 50_000 + (given += 1), days: 1, ...SMALL } : null),
    (run) => totals.add(run),
  );
  log(`  ${totals.runs} small systems, ${totals.legs} legs, every statement an event of its own`);
  troubles.push(
    ...totals.broken.map(
      (broken) => `interleaved seed ${broken.seed}: ${broken.says} (${replayCommand(broken.seed)} --fine)`,
    ),
  );
  const modelSequences = histories.numRuns + shuffles.numRuns;
  return {
    troubles: [...troubles, ...shortOf(quick, { modelSequences })],
    figures: {},
    more: { modelSequences, interleavedSystems: totals.runs },
  };
};
