import type { BenchOptions } from '../bench.ts';
import { median } from '../statistics.ts';
import { PHASES, type Phase } from './callers.ts';
import { SERVERS, type ServerName } from './servers.ts';

/** The figures of one server in one phase of one round. Times are per request. */
export interface Measurement {
  readonly server: ServerName;
  readonly phase: Phase;
  readonly requests: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** CPU time of the server's own process. */
  readonly cpuUs: number;
  readonly postgresUs: number;
  readonly redisUs: number;
}

/**
 * The largest allowed ratio of Partyline's CPU time to Express's, for answer and DTMF together.
 */
const MAX_CPU_RATIO = 1.0;

type Figures = { readonly requestsPerCpuSecond: number } & Omit<Measurement, 'server' | 'phase'>;
type Cost = 'cpuUs' | 'postgresUs' | 'redisUs';

export interface Result {
  readonly bench: 'webhooks';
  readonly options: Pick<BenchOptions, 'seconds' | 'rounds' | 'pins' | 'connections'>;
  readonly errors: 0;
  /** Medians over the rounds; `requests` is the sum. */
  readonly servers: Readonly<Record<ServerName, Readonly<Record<Phase, Figures>>>>;
  /**
   * Our CPU time divided by the peer's: medians of the rounds' ratios. `bothWithStores` adds
   * Postgres and Redis.
   */
  readonly ratios: Readonly<Record<'echo' | 'express', Readonly<Record<Phase | 'both' | 'bothWithStores', number>>>>;
  readonly target: { readonly what: string; readonly atMost: number; readonly measured: number; readonly met: boolean };
}

export function summarise(
  rounds: readonly Measurement[][],
  { seconds, rounds: count, pins, connections }: BenchOptions,
): Result {
  const of = (round: readonly Measurement[], server: ServerName, phase: Phase): Measurement =>
    round.find((one) => one.server === server && one.phase === phase)!;
  const figures = (server: ServerName, phase: Phase): Figures => {
    const all = rounds.map((round) => of(round, server, phase));
    const middle = (figure: Exclude<keyof Figures, 'requestsPerCpuSecond'>): number =>
      rounded(median(all.map((one) => one[figure])));
    return {
      requestsPerCpuSecond: Math.round(1e6 / median(all.map((one) => one.cpuUs))),
      requests: all.reduce((sum, { requests }) => sum + requests, 0),
      p50Ms: middle('p50Ms'),
      p99Ms: middle('p99Ms'),
      cpuUs: middle('cpuUs'),
      // The peers have no stores: the stores' own CPU time during their measurement is not theirs.
      postgresUs: server === 'ours' ? middle('postgresUs') : 0,
      redisUs: server === 'ours' ? middle('redisUs') : 0,
    };
  };
  const cost = (
    round: readonly Measurement[],
    server: ServerName,
    phases: readonly Phase[],
    costs: readonly Cost[],
  ): number =>
    phases.reduce((sum, phase) => sum + costs.reduce((part, one) => part + of(round, server, phase)[one], 0), 0);
  const ratio = (peer: 'echo' | 'express', phases: readonly Phase[], ours: readonly Cost[] = ['cpuUs']): number =>
    rounded(median(rounds.map((round) => cost(round, 'ours', phases, ours) / cost(round, peer, phases, ['cpuUs']))));
  const ratios = (peer: 'echo' | 'express') => ({
    answer: ratio(peer, ['answer']),
    digits: ratio(peer, ['digits']),
    both: ratio(peer, PHASES),
    bothWithStores: ratio(peer, PHASES, ['cpuUs', 'postgresUs', 'redisUs']),
  });
  const express = ratios('express');
  return {
    bench: 'webhooks',
    options: { seconds, rounds: count, pins, connections },
    errors: 0,
    servers: Object.fromEntries(
      SERVERS.map((server) => [server, Object.fromEntries(PHASES.map((phase) => [phase, figures(server, phase)]))]),
    ) as Result['servers'],
    ratios: { echo: ratios('echo'), express },
    target: {
      what: 'answer + DTMF, CPU of ours / CPU of Express',
      atMost: MAX_CPU_RATIO,
      measured: express.both,
      met: express.both <= MAX_CPU_RATIO,
    },
  };
}

const rounded = (value: number): number => Number(value.toPrecision(4));

const LABELS: Readonly<Record<ServerName, string>> = {
  ours: 'Partyline: signed, stored',
  echo: 'node:http in memory',
  express: 'Express sample in memory',
};
const PHASE_LABELS: Readonly<Record<Phase, string>> = { answer: 'answer', digits: 'DTMF' };

/** Formats the result for printing. */
export function formatResult({ servers, ratios, target, options }: Result): string[] {
  const table = [
    ['', '', 'req/CPU-s', 'CPU us', 'Postgres us', 'Redis us', 'p50 ms', 'p99 ms', 'requests'],
    ...PHASES.flatMap((phase) =>
      SERVERS.map((server) => {
        const { requestsPerCpuSecond, cpuUs, postgresUs, redisUs, p50Ms, p99Ms, requests } = servers[server][phase];
        const stores = server === 'ours' ? [postgresUs.toFixed(0), redisUs.toFixed(0)] : ['', ''];
        return [
          PHASE_LABELS[phase],
          LABELS[server],
          String(requestsPerCpuSecond),
          cpuUs.toFixed(1),
          ...stores,
          p50Ms.toFixed(2),
          p99Ms.toFixed(2),
          String(requests),
        ];
      }),
    ),
  ];
  const compared = [
    ['CPU, ours / peer', 'answer', 'DTMF', 'both', 'both, with Postgres and Redis'],
    ...(['echo', 'express'] as const).map((peer) => [
      LABELS[peer],
      ...(['answer', 'digits', 'both', 'bothWithStores'] as const).map((what) => ratios[peer][what].toFixed(2)),
    ]),
  ];
  return [
    '',
    `Medians of ${options.rounds} rounds of ${options.seconds} s, ${options.connections} connections, ` +
      `${options.pins} active PINs. CPU: user and system time, from /proc/<pid>/stat.`,
    ...alignColumns(table, 2),
    '',
    ...alignColumns(compared, 1),
    '',
    `Target: ${target.what} <= ${target.atMost.toFixed(1)}: ` +
      `${target.measured.toFixed(2)}, ${target.met ? 'met' : 'NOT met'}.`,
  ];
}

/**
 * Pads the cells to columns of equal width: the first `texts` columns left-aligned, the others
 * right-aligned.
 */
function alignColumns(rows: readonly (readonly string[])[], texts: number): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const pad = (cell: string, column: number): string =>
    column < texts ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!);
  return rows.map((row) => `  ${row.map(pad).join('  ')}`.trimEnd());
}
