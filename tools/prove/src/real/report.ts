import { legsSeen, type Evidence } from './evidence.ts';
import { historyOf } from './leg-history.ts';
import { delays, gaps, judge, lateDecisions, type Constants, type Delays, type Judged } from './oracle.ts';

export interface RealResult {
  readonly faults: { readonly byClass: Record<string, number>; readonly total: number };
  /** Legs in the vendor's ledger. */
  readonly legs: number;
  readonly sessions: number;
  readonly leakedLegSecondsPastBound: number;
  readonly falseKills: number;
  /** From when the end was decided to when the vendor had ended a leg, by the class of fault whose bound held. */
  readonly hangUpDelayMs: Record<string, Delays>;
  /** How often the vendor was asked to end a leg, of those it was asked for at all. */
  readonly hangUpsPerLeg: { readonly mean: number; readonly max: number };
  /** Requests that the vendor refused as too many, by itself. */
  readonly overVendorLimit: number;
  readonly eventsLost: number;
  readonly eventsDuplicated: number;
  /** The most that our record of a call differs from what the vendor charges for it. */
  readonly billedVsLedgerMaxSeconds: number;
  /** Callers who rang and never got in, though they keyed the right PIN: what the faults cost people. Not promised. */
  readonly callersKeptOut: number;
  /** What was not as promised, to be read by people; empty when every bound held. */
  readonly failures: readonly string[];
}

const REPLAY = (seed: number, quick: boolean): string => `npm run prove -- ${quick ? '--quick ' : ''}--seed ${seed}`;
/** Histories of this many legs are told; the rest are named. */
const MOST_HISTORIES = 3;

/** What a run left behind. */
interface Findings {
  readonly evidence: Evidence;
  readonly constants: Constants;
  readonly broken: readonly string[];
  readonly startedAt: number;
  readonly seed: number;
  readonly quick: boolean;
  readonly log: (line: string) => void;
  readonly logFolder: string;
}

/** What of it was not as promised, and what it cost; the histories of some legs are logged. */
export function report({
  evidence,
  constants,
  broken,
  startedAt,
  seed,
  quick,
  log,
  logFolder,
}: Findings): Omit<RealResult, 'billedVsLedgerMaxSeconds'> {
  const { ledger, sessions, held, windows, requests } = evidence;
  const judged = judge(legsSeen(evidence), windows, ledger.now, constants);
  const late = judged.filter(({ lateMs }) => lateMs > 0);
  const killed = judged.filter(({ falseKill }) => falseKill);
  const pestered = judged.filter(({ tooManyAsks }) => tooManyAsks);
  const asked = judged.filter(({ asks }) => asks > 0).map(({ asks }) => asks);
  const sequences = [...sessions.values()].map(({ events }) => gaps(events.map(({ seq }) => seq)));

  const failures = [...broken];
  const name = ({ leg, session }: Judged): string => `${leg.kind} ${leg.id} of session ${session?.id ?? 'unknown'}`;
  const told: Judged[] = [];
  const fail = (each: Judged, what: string): void => {
    failures.push(`${name(each)}: ${what}`);
    told.push(each);
  };
  for (const each of late)
    fail(
      each,
      `${each.leg.endedAt === undefined ? 'still up' : 'was up'} ${(each.lateMs / 1000).toFixed(1)} s past its bound (class ${each.class})`,
    );
  for (const each of killed) fail(each, `was live and we ended it (${each.leg.endReason ?? ''}) while its session ran`);
  for (const each of pestered)
    fail(each, `the vendor was asked ${each.asks} times to end it, more than its outage explains`);
  for (const { seen, decided, held: of } of sessions.values())
    if (seen.endingAt !== null && !decided)
      failures.push(
        `session ${seen.id} (${of.party.name}): the tenant was told that its room ends, and the session goes on`,
      );
  if (ledger.up > 0 && late.length === 0) failures.push(`${ledger.up} legs are still up at the end`);

  for (const { id, lateMs } of lateDecisions(evidence.decided, windows, constants))
    failures.push(
      `session ${id} (${sessions.get(id)?.held.party.name ?? ''}): its clock ran out, and its end was decided ${(lateMs / 1000).toFixed(1)} s past the bound`,
    );

  const lost = sequences.reduce((sum, each) => sum + each.lost, 0);
  const duplicated = sequences.reduce((sum, each) => sum + each.duplicated, 0);
  if (lost > 0) failures.push(`${lost} events are missing from their sessions' sequences`);
  if (duplicated > 0) failures.push(`${duplicated} events have a number that another has`);

  // One leg of a session tells of all of it.
  const distinct = told.filter(({ session }, at) => told.findIndex((other) => other.session === session) === at);
  for (const each of distinct.slice(0, MOST_HISTORIES)) {
    log(`\n  ${name(each)}`);
    for (const line of historyOf(each, evidence, startedAt)) log(line);
  }
  if (failures.length > 0)
    log(`\nThe services' own words are in ${logFolder}. The same plan again: ${REPLAY(seed, quick)}`);

  const byClass: Record<string, number> = {};
  for (const window of windows) byClass[window.class] = (byClass[window.class] ?? 0) + 1;
  const joined = new Set(ledger.legs.filter(({ conversation }) => conversation !== undefined).map(({ id }) => id));
  return {
    faults: { byClass, total: windows.length },
    legs: judged.length,
    sessions: sessions.size,
    leakedLegSecondsPastBound: Math.round(late.reduce((sum, { lateMs }) => sum + lateMs, 0)) / 1000,
    falseKills: killed.length,
    hangUpDelayMs: delays(judged, ledger.now),
    hangUpsPerLeg: {
      mean:
        asked.length === 0 ? 0 : Math.round((asked.reduce((sum, asks) => sum + asks, 0) / asked.length) * 100) / 100,
      max: Math.max(0, ...asked),
    },
    overVendorLimit: requests.filter(({ status, fault }) => status === 429 && fault === undefined).length,
    eventsLost: lost,
    eventsDuplicated: duplicated,
    callersKeptOut: held
      .filter(({ party }) => !party.silentCaller)
      .reduce((sum, { callIds }) => sum + [...callIds].filter((id) => !joined.has(id)).length, 0),
    failures,
  };
}
