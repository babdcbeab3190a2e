import type { RunResult } from '../run.ts';
import { DelayHistogram } from './delay-histogram.ts';

/** Many runs added up. */
export class Totals {
  runs = 0;
  days = 0;
  legs = 0;
  leakedLegs = 0;
  leakedLegSeconds = 0;
  falseKills = 0;
  killsAfterDataLoss = 0;
  unknowableConnections = 0;
  eventsLost = 0;
  eventsDuplicated = 0;
  billedVsLedgerMaxSeconds = 0;
  peakPerSecond = 0;
  readonly faults: Record<string, number> = {};
  readonly delays: Record<string, DelayHistogram> = {};
  readonly hangUps = { legs: 0, asks: 0, max: 0 };
  readonly leakedByFault: Record<string, number> = {};
  readonly failedSeeds: { seed: number; says: string }[] = [];

  add(run: RunResult): void {
    this.runs += 1;
    this.days += run.days;
    for (const key of [
      'legs',
      'leakedLegs',
      'leakedLegSeconds',
      'falseKills',
      'killedAfterLoss',
      'unknowable',
      'eventsLost',
      'eventsDuplicated',
    ] as const)
      this[key] += run[key];
    this.billedVsLedgerMaxSeconds = Math.max(this.billedVsLedgerMaxSeconds, run.billedVsLedgerMaxSeconds);
    this.peakPerSecond = Math.max(this.peakPerSecond, run.peakPerSecond);
    this.hangUps.legs += run.hangUps.legs;
    this.hangUps.asks += run.hangUps.asks;
    this.hangUps.max = Math.max(this.hangUps.max, run.hangUps.max);
    for (const [fault, count] of Object.entries(run.faults)) this.faults[fault] = (this.faults[fault] ?? 0) + count;
    for (const [fault, seconds] of Object.entries(run.leakedByFault))
      this.leakedByFault[fault] = (this.leakedByFault[fault] ?? 0) + seconds;
    for (const [fault, tally] of Object.entries(run.delays)) (this.delays[fault] ??= new DelayHistogram()).merge(tally);
    const [first] = [
      ...run.violations.map(({ rule, message: says }) => `${rule}: ${says}`),
      ...run.unexpectedErrors,
      ...(run.liveAtEnd > 0 ? [`${run.liveAtEnd} sides of legs are up at the end`] : []),
    ];
    if (first !== undefined) this.failedSeeds.push({ seed: run.seed, says: first });
  }

  get faultCount(): number {
    return Object.values(this.faults).reduce((sum, count) => sum + count, 0);
  }

  hangUpDelayMs(): Record<string, { p50: number; p99: number; max: number }> {
    return Object.fromEntries(
      Object.entries(this.delays)
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .map(([fault, tally]) => [fault, { p50: tally.percentile(0.5), p99: tally.percentile(0.99), max: tally.max }]),
    );
  }
}
