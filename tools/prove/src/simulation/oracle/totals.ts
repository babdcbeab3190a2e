import type { RunResult } from '../run.ts';
import { DelayHistogram } from './delay-histogram.ts';

/** The sums of many runs. */
export class Totals {
  runs = 0;
  days = 0;
  legs = 0;
  leakedLegs = 0;
  leakedLegSeconds = 0;
  falseKills = 0;
  lostToDeadline = 0;
  killsAfterDataLoss = 0;
  unknowableConnections = 0;
  eventsLost = 0;
  eventsDuplicated = 0;
  billedVsLedgerMaxSeconds = 0;
  peakPerSecond = 0;
  readonly faults: Record<string, number> = {};
  readonly uses: Record<string, number> = {};
  readonly delays: Record<string, DelayHistogram> = {};
  readonly hangUps = { legs: 0, attempts: 0, max: 0 };
  /** Each failed seed with its first problem. */
  readonly failedSeeds: { seed: number; message: string }[] = [];

  /** Adds a run. Returns its first problem; null if there is none. */
  add(run: RunResult): string | null {
    this.runs += 1;
    for (const key of [
      'days',
      'legs',
      'leakedLegs',
      'leakedLegSeconds',
      'falseKills',
      'lostToDeadline',
      'killsAfterDataLoss',
      'unknowableConnections',
      'eventsLost',
      'eventsDuplicated',
    ] as const)
      this[key] += run[key];
    this.billedVsLedgerMaxSeconds = Math.max(this.billedVsLedgerMaxSeconds, run.billedVsLedgerMaxSeconds);
    this.peakPerSecond = Math.max(this.peakPerSecond, run.peakPerSecond);
    this.hangUps.legs += run.hangUps.legs;
    this.hangUps.attempts += run.hangUps.attempts;
    this.hangUps.max = Math.max(this.hangUps.max, run.hangUps.max);
    for (const [fault, count] of Object.entries(run.faults)) this.faults[fault] = (this.faults[fault] ?? 0) + count;
    for (const [use, count] of Object.entries(run.uses)) this.uses[use] = (this.uses[use] ?? 0) + count;
    for (const [fault, delays] of Object.entries(run.delays))
      (this.delays[fault] ??= new DelayHistogram()).merge(delays);
    const [first] = [
      ...run.violations.map(({ rule, message }) => `${rule}: ${message}`),
      ...run.unexpectedErrors,
      ...(run.liveAtEnd > 0 ? [`${run.liveAtEnd} handles are live at the end`] : []),
    ];
    if (first === undefined) return null;
    this.failedSeeds.push({ seed: run.seed, message: first });
    return first;
  }

  get faultCount(): number {
    return Object.values(this.faults).reduce((sum, count) => sum + count, 0);
  }

  hangUpDelayMs(): Record<string, { p50: number; p99: number; max: number }> {
    return Object.fromEntries(
      Object.entries(this.delays)
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .map(([fault, delays]) => [
          fault,
          { p50: delays.percentile(0.5), p99: delays.percentile(0.99), max: delays.max },
        ]),
    );
  }
}
