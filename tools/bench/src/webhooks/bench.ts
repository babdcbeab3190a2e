import type { Bench, BenchRun } from '../bench.ts';
import { generateLoad, type LoadFigures } from '../http-load.ts';
import { assertProcAvailable, processTreeSeconds, processorSeconds } from '../processor-time.ts';
import { createCallers, PHASES, type Phase } from './callers.ts';
import { formatResult, summarise, type Measurement } from './report.ts';
import { SERVERS, startServers, type ServerName, type Servers } from './servers.ts';

/**
 * Measures the CPU time to answer a call and to admit it by PIN, with signatures and storage,
 * compared with two peers that have neither.
 */
export const webhooksBench: Bench = {
  summary: 'answer and DTMF webhooks: requests per CPU second, compared with bare node:http and an Express sample',
  run,
};

type Measure = (server: ServerName, phase: Phase) => Promise<Measurement>;

async function run(bench: BenchRun): Promise<object> {
  assertProcAvailable();
  const { log, print, options } = bench;
  const servers = await startServers(bench);
  const { provider } = servers.credentials;
  const nextWebhook = createCallers({
    pins: options.pins,
    signing: { secret: provider.signatureSecret, apiKey: provider.accountKey, applicationId: provider.applicationId },
  });
  const measure: Measure = (server, phase) => {
    const { target } = servers.byName[server];
    const { connections, seconds } = options;
    return measureLoad(servers, server, phase, () =>
      generateLoad({ port: target.port, connections, seconds, next: nextWebhook(phase, target) }),
    );
  };

  log('warming up ...');
  for (const server of SERVERS) await warmUp(measure, server);
  const rounds: Measurement[][] = [];
  for (let round = 1; round <= options.rounds; round++) {
    const measured = await measureRound(measure);
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

/**
 * After this many requests the JIT compiler has done most of its work, which would distort the
 * figures.
 */
const MIN_WARM_UP_REQUESTS = 20_000;
/** Bounds the warm-up on a slow machine. */
const MAX_WARM_UP_TURNS = 6;

async function warmUp(measure: Measure, server: ServerName): Promise<void> {
  let sent = 0;
  for (let turn = 0; turn < MAX_WARM_UP_TURNS && sent < MIN_WARM_UP_REQUESTS; turn++) {
    for (const phase of PHASES) sent += (await measure(server, phase)).requests;
  }
}

/**
 * Measures every server once in both phases, so that disturbances of the machine affect all servers
 * alike.
 */
async function measureRound(measure: Measure): Promise<Measurement[]> {
  const measured: Measurement[] = [];
  for (const server of SERVERS) for (const phase of PHASES) measured.push(await measure(server, phase));
  return measured;
}

async function measureLoad(
  { byName, postgresPid, redisPid }: Servers,
  server: ServerName,
  phase: Phase,
  load: () => Promise<LoadFigures>,
): Promise<Measurement> {
  const used = (): { app: number; postgres: number; redis: number } => ({
    app: processorSeconds(byName[server].pid),
    postgres: processTreeSeconds(postgresPid),
    redis: processorSeconds(redisPid),
  });
  const before = used();
  const figures = await load();
  const after = used();
  const perRequestUs = (what: keyof typeof after): number => ((after[what] - before[what]) * 1e6) / figures.requests;
  return {
    server,
    phase,
    ...figures,
    cpuUs: perRequestUs('app'),
    postgresUs: perRequestUs('postgres'),
    redisUs: perRequestUs('redis'),
  };
}
