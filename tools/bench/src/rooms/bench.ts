import type { Bench, BenchOptions, BenchRun } from '../bench.ts';
import { generateLoad, type LoadFigures } from '../http-load.ts';
import { median } from '../statistics.ts';
import { SERVERS, startServers, type ServerName, type Target } from './servers.ts';

/**
 * Measures the latency of room creation, compared with an API that inserts one row and with an
 * Express sample.
 */
export const roomsBench: Bench = {
  summary: 'room creation: latency, compared with one INSERT in the same Postgres and with a map in memory',
  run,
};

export interface Result {
  readonly bench: 'rooms';
  readonly options: Pick<BenchOptions, 'seconds' | 'rounds' | 'connections'>;
  readonly errors: 0;
  /** Medians over the rounds; `requests` is the sum. */
  readonly servers: Readonly<Record<ServerName, LoadFigures>>;
  /** Ours divided by the peer's: the medians of the rounds' ratios. */
  readonly ratios: Readonly<
    Record<'row' | 'map', Readonly<Record<'ours' | 'oursKeyed', { readonly p50: number; readonly p99: number }>>>
  >;
}

/** After this time the JIT compiler has done most of its work. */
const WARM_UP_SECONDS = 3;

async function run(bench: BenchRun): Promise<object> {
  const { log, print, options } = bench;
  const servers = await startServers(bench);
  log('warming up ...');
  for (const server of SERVERS)
    await measure(servers.byName[server], options.connections, Math.min(WARM_UP_SECONDS, options.seconds * 2));
  const rounds: Record<ServerName, LoadFigures>[] = [];
  for (let round = 1; round <= options.rounds; round++) {
    const measured: [ServerName, LoadFigures][] = [];
    for (const server of SERVERS) {
      await servers.endRooms();
      measured.push([server, await measure(servers.byName[server], options.connections, options.seconds)]);
    }
    rounds.push(Object.fromEntries(measured) as Record<ServerName, LoadFigures>);
    const figures = measured.map(
      ([server, { p99Ms, requests }]) => `${server} p99 ${p99Ms.toFixed(1)} ms (${requests})`,
    );
    log(`round ${round} of ${options.rounds}: ${figures.join(', ')}`);
  }
  const result = summarise(rounds, options);
  for (const line of formatResult(result)) print(line);
  return result;
}

const BODY = JSON.stringify({ name: 'Bench' });

const measure = ({ port, path, headers }: Target, connections: number, seconds: number): Promise<LoadFigures> =>
  generateLoad({
    port,
    connections,
    seconds,
    next: () => ({
      path,
      headers: { 'content-type': 'application/json', ...headers() },
      body: BODY,
      check(status, reply) {
        if (status !== 201 || !reply.includes('"pin"'))
          throw new Error(`POST ${path} did not create a room: ${status} ${reply}`);
      },
    }),
  });

function summarise(
  rounds: readonly Readonly<Record<ServerName, LoadFigures>>[],
  { seconds, rounds: count, connections }: BenchOptions,
): Result {
  const rounded = (value: number): number => Number(value.toPrecision(4));
  const middle = (of: (round: Readonly<Record<ServerName, LoadFigures>>) => number): number =>
    rounded(median(rounds.map(of)));
  const ratio = (ours: 'ours' | 'oursKeyed', peer: 'row' | 'map') => ({
    p50: middle((round) => round[ours].p50Ms / round[peer].p50Ms),
    p99: middle((round) => round[ours].p99Ms / round[peer].p99Ms),
  });
  const ratios = (peer: 'row' | 'map') => ({ ours: ratio('ours', peer), oursKeyed: ratio('oursKeyed', peer) });
  return {
    bench: 'rooms',
    options: { seconds, rounds: count, connections },
    errors: 0,
    servers: Object.fromEntries(
      SERVERS.map((server) => [
        server,
        {
          requests: rounds.reduce((sum, round) => sum + round[server].requests, 0),
          p50Ms: middle((round) => round[server].p50Ms),
          p99Ms: middle((round) => round[server].p99Ms),
        },
      ]),
    ) as Result['servers'],
    ratios: { row: ratios('row'), map: ratios('map') },
  };
}

const LABELS: Readonly<Record<ServerName, string>> = {
  ours: 'Partyline',
  oursKeyed: 'Partyline, Idempotency-Key',
  row: 'Fastify, one INSERT',
  map: 'Express sample, a map',
};

/** Formats the result for printing. */
function formatResult({ servers, ratios, options }: Result): string[] {
  const row = (name: string, cells: readonly string[]): string =>
    `  ${name.padEnd(28)}${cells.map((cell) => cell.padStart(16)).join('')}`;
  return [
    '',
    `Medians of ${options.rounds} rounds of ${options.seconds} s, ` +
      `${options.connections} clients with one request at a time.`,
    row('', ['p50 ms', 'p99 ms', 'rooms']),
    ...SERVERS.map((server) =>
      row(LABELS[server], [
        servers[server].p50Ms.toFixed(2),
        servers[server].p99Ms.toFixed(2),
        String(servers[server].requests),
      ]),
    ),
    '',
    row('p99, ours / peer', [LABELS.ours, 'with a key']),
    ...(['row', 'map'] as const).map((peer) =>
      row(LABELS[peer], [ratios[peer].ours.p99.toFixed(2), ratios[peer].oursKeyed.p99.toFixed(2)]),
    ),
  ];
}
