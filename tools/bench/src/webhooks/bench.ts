import type { Bench, BenchRun } from '../bench.ts';
import { assertProcAvailable, processTreeSeconds, processorSeconds } from '../processor-time.ts';
import { startGenerator, type Generator } from './generator.ts';
import { PHASES, type Phase } from './protocol.ts';
import { formatResult, summarise, type Measurement } from './report.ts';
import { SERVERS, startServers, type ServerName, type Servers } from './servers.ts';

/**
 * Measures the CPU time to answer a call and to admit it by PIN, with signatures and storage, compared
 * with two peers that have neither.
 */
export const webhooksBench: Bench = {
  summary: 'answer and DTMF webhooks: requests per CPU second, compared with bare node:http and an Express sample',
  run,
};

async function run(bench: BenchRun): Promise<object> {
  assertProcAvailable();
  const { log, print, processes, options } = bench;
  const servers = await startServers(bench);
  const { vendor } = servers.credentials;
  const generator = processes.add(
    startGenerator({
      connections: options.connections,
      pins: options.pins,
      signing: { secret: vendor.signatureSecret, apiKey: vendor.accountKey, applicationId: vendor.applicationId },
    }),
  );

  log('warming up ...');
  for (const server of SERVERS) await warmUp(servers, generator, server, options.seconds);
  const rounds: Measurement[][] = [];
  for (let round = 1; round <= options.rounds; round++) {
    const measured = await measureRound(servers, generator, options.seconds);
    rounds.push(measured);
    const figures = measured.map(
      ({ server, phase, requests, cpuUs }) => `${server} ${phase} ${Math.round(cpuUs)} us (${requests})`,
    );
    log(`round ${round} of ${options.rounds}: ${figures.join(', ')}`);
  }
  const result = summarise(rounds, options);
  for (const line of formatResult(result)) print(line);
  return result;
}

/** After this many requests the JIT compiler has done most of its work, which would distort the figures. */
const MIN_WARM_UP_REQUESTS = 20_000;
/** Bounds the warm-up on a slow machine. */
const MAX_WARM_UP_TURNS = 6;

async function warmUp(servers: Servers, generator: Generator, server: ServerName, seconds: number): Promise<void> {
  let sent = 0;
  for (let turn = 0; turn < MAX_WARM_UP_TURNS && sent < MIN_WARM_UP_REQUESTS; turn++) {
    for (const phase of PHASES) sent += (await measure(servers, generator, server, phase, seconds)).requests;
  }
}

/** Measures every server once in both phases, so that disturbances of the machine affect all servers alike. */
async function measureRound(servers: Servers, generator: Generator, seconds: number): Promise<Measurement[]> {
  const measured: Measurement[] = [];
  for (const server of SERVERS)
    for (const phase of PHASES) measured.push(await measure(servers, generator, server, phase, seconds));
  return measured;
}

async function measure(
  { byName, postgresPid, redisPid }: Servers,
  generator: Generator,
  name: ServerName,
  phase: Phase,
  seconds: number,
): Promise<Measurement> {
  const { pid, target } = byName[name];
  const used = (): { app: number; postgres: number; redis: number } => ({
    app: processorSeconds(pid),
    postgres: processTreeSeconds(postgresPid),
    redis: processorSeconds(redisPid),
  });
  const before = used();
  const { requests, p50Ms, p99Ms } = await generator.load({ phase, target, seconds });
  const after = used();
  const each = (what: keyof typeof after): number => ((after[what] - before[what]) * 1e6) / requests;
  return {
    server: name,
    phase,
    requests,
    p50Ms,
    p99Ms,
    cpuUs: each('app'),
    postgresUs: each('postgres'),
    redisUs: each('redis'),
  };
}
