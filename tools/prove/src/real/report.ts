import { assignSessions, type Evidence } from './evidence.ts';
import { formatLegHistory } from './leg-history.ts';
import {
  computeDelays,
  countGaps,
  findLateExpiries,
  findMissedExpiries,
  findUnexplainedEnds,
  judgeLegs,
  type BoundConstants,
  type Delays,
  type JudgedLeg,
} from './oracle.ts';

export interface RealResult {
  readonly faults: {
    readonly byClass: Record<string, number>;
    readonly names: readonly string[];
    readonly total: number;
  };
  /** Legs in the provider's ledger. */
  readonly legs: number;
  readonly sessions: number;
  readonly leakedLegSecondsPastBound: number;
  readonly falseKills: number;
  /**
   * From the decision to the leg's end in the ledger, by the class of fault whose bound applied.
   */
  readonly hangUpDelayMs: Record<string, Delays>;
  /** Hang-up attempts per leg, of legs with at least one. */
  readonly hangUpsPerLeg: { readonly mean: number; readonly max: number };
  /** Requests that the provider rejected with 429 without a fault. */
  readonly overProviderLimit: number;
  readonly eventsLost: number;
  readonly eventsDuplicated: number;
  /** The largest difference between a call record and the provider's charge. */
  readonly billedVsLedgerMaxSeconds: number;
  /**
   * Calls that keyed the right PIN and were not admitted: the effect of the faults on users,
   * without a bound.
   */
  readonly callersNotAdmitted: number;
  /** One text per broken rule. Empty if every bound held. */
  readonly failures: readonly string[];
}

const repeatCommand = (seed: number, quick: boolean): string =>
  `npm run prove -- ${quick ? '--quick ' : ''}--seed ${seed}`;
/** The histories of this many failed legs are logged. The others are only named. */
const MAX_HISTORIES = 3;

interface RunFindings {
  readonly evidence: Evidence;
  readonly constants: BoundConstants;
  /** Problems found during the run. */
  readonly problems: readonly string[];
  readonly startedAt: number;
  /** When the run began to end the sessions that were left. */
  readonly loadEndedAt: number;
  readonly seed: number;
  readonly quick: boolean;
  readonly log: (line: string) => void;
  readonly logFolder: string;
}

/**
 * Judges the evidence of a run, logs the histories of some failed legs, and returns the figures and
 * failures.
 */
export function reportRun({
  evidence,
  constants,
  problems,
  startedAt,
  loadEndedAt,
  seed,
  quick,
  log,
  logFolder,
}: RunFindings): Omit<RealResult, 'billedVsLedgerMaxSeconds'> {
  const { ledger, sessions, meetings, windows, requests } = evidence;
  const legs = assignSessions(evidence);
  const judged = judgeLegs(legs, windows, ledger.now, constants);
  const unexplainedEnds = findUnexplainedEnds(legs, windows, constants);
  const late = judged.filter(({ lateMs }) => lateMs > 0);
  const falseKills = judged.filter(({ isFalseKill }) => isFalseKill);
  const attempts = judged.map(({ hangUpAttempts }) => hangUpAttempts).filter((count) => count > 0);
  const sequences = [...sessions.values()].map(({ events }) => countGaps(events.map(({ seq }) => seq)));

  const failures = [...problems];
  const nameOf = ({ leg, session }: JudgedLeg): string =>
    `${leg.kind} ${leg.id} of session ${session?.id ?? 'unknown'}`;
  const failed: JudgedLeg[] = [];
  const fail = (leg: JudgedLeg, problem: string): void => {
    failures.push(`${nameOf(leg)}: ${problem}`);
    failed.push(leg);
  };
  for (const each of late) {
    const lateS = (each.lateMs / 1000).toFixed(1);
    fail(each, `${each.leg.endedAt === undefined ? 'is' : 'was'} up ${lateS} s past its bound (class ${each.class})`);
  }
  for (const each of falseKills)
    fail(each, `was live and hung up by the platform (${each.leg.endReason ?? ''}) while its session ran`);
  for (const { session, hungUp } of unexplainedEnds) {
    const problem = `session ${session.id} was ended, which neither its tenant nor its participants caused`;
    const judgedLegs = judged.filter((each) => each.session === session);
    failures.push(`${problem}; ${hungUp.length} participants were hung up`);
    failed.push(...judgedLegs.slice(0, 1));
  }
  for (const each of judged)
    if (each.hasTooManyAttempts) fail(each, `${each.hangUpAttempts} hang-up attempts, more than its outage explains`);
  for (const { session, isEndDecided, meeting } of sessions.values())
    if (session.endingAt !== null && !isEndDecided)
      failures.push(
        `session ${session.id} (${meeting.plan.name}): the API accepted the end of its room, but the session runs`,
      );
  if (ledger.up > 0 && late.length === 0) failures.push(`${ledger.up} legs are still up at the end`);

  for (const { id, lateMs } of findLateExpiries(evidence.clockExpiries, windows, constants)) {
    const meeting = sessions.get(id)?.meeting.plan.name ?? '';
    const lateS = (lateMs / 1000).toFixed(1);
    failures.push(`session ${id} (${meeting}): after its clock expired, its end was decided ${lateS} s past the bound`);
  }

  for (const { session, lateMs } of findMissedExpiries(legs, windows, loadEndedAt, constants)) {
    const meeting = sessions.get(session.id)?.meeting.plan.name ?? '';
    const lateS = (lateMs / 1000).toFixed(1);
    failures.push(`session ${session.id} (${meeting}): ${lateS} s past the bound of a clock, it was not ended`);
  }

  const eventsLost = sequences.reduce((sum, { lost }) => sum + lost, 0);
  const eventsDuplicated = sequences.reduce((sum, { duplicated }) => sum + duplicated, 0);
  if (eventsLost > 0) failures.push(`${eventsLost} events are missing from the sequences of their sessions`);
  if (eventsDuplicated > 0) failures.push(`${eventsDuplicated} events have a duplicate sequence number`);

  // One history per session is enough.
  const distinct = failed.filter(({ session }, i) => failed.findIndex((other) => other.session === session) === i);
  for (const each of distinct.slice(0, MAX_HISTORIES)) {
    log(`\n  ${nameOf(each)}`);
    for (const line of formatLegHistory(each, evidence, startedAt)) log(line);
  }
  if (failures.length > 0)
    log(`\nLogs of the services: ${logFolder}. To repeat the same plan: ${repeatCommand(seed, quick)}`);

  const byClass: Record<string, number> = {};
  for (const window of windows) byClass[window.class] = (byClass[window.class] ?? 0) + 1;
  const admitted = new Set(ledger.legs.filter(({ conversation }) => conversation !== undefined).map(({ id }) => id));
  const attemptSum = attempts.reduce((sum, count) => sum + count, 0);
  return {
    faults: { byClass, names: [...new Set(windows.map(({ name }) => name))].toSorted(), total: windows.length },
    legs: judged.length,
    sessions: sessions.size,
    leakedLegSecondsPastBound: Math.round(late.reduce((sum, { lateMs }) => sum + lateMs, 0)) / 1000,
    falseKills: falseKills.length + unexplainedEnds.reduce((sum, { hungUp }) => sum + hungUp.length, 0),
    hangUpDelayMs: computeDelays(judged, ledger.now),
    hangUpsPerLeg: {
      mean: attempts.length === 0 ? 0 : Math.round((attemptSum / attempts.length) * 100) / 100,
      max: Math.max(0, ...attempts),
    },
    overProviderLimit: requests.filter(({ status, fault }) => status === 429 && fault === undefined).length,
    eventsLost,
    eventsDuplicated,
    callersNotAdmitted: meetings
      .filter(({ plan }) => !plan.hasSilentCaller)
      .reduce((sum, { callIds }) => sum + [...callIds].filter((id) => !admitted.has(id)).length, 0),
    failures,
  };
}
