import type { Bench, BenchRun } from '../bench.ts';
import { assertMeasurable, familySeconds, processorSeconds } from '../processor-time.ts';
import { startGenerator, type Generator } from './generator.ts';
import { PHASES, type Phase } from './protocol.ts';
import { describe, summarise, type Measurement } from './report.ts';
import { SERVERS, startServers, type ServerName, type Servers } from './servers.ts';

/** A caller dials in: what it costs to answer, and to admit by PIN, signed and stored, beside two peers that do neither. */
export const webhooks: Bench = {
  summary: 'answer and DTMF webhooks: requests per CPU second, against bare node:http and an Express sample',
  run,
};

async function run(bench: BenchRun): Promise<object> {
  assertMeasurable();
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

  log('warming up …');
  for (const server of SERVERS) await warmUp(servers, generator, server, options.seconds);
  const rounds: Measurement[][] = [];
  for (let round = 1; round <= options.rounds; round++) {
    rounds.push(await measureRound(servers, generator, options.seconds));
    log(
      `round ${round} of ${options.rounds}: ${rounds
        .at(-1)!
        .map(({ server, phase, requests, cpuUs }) => `${server} ${phase} ${Math.round(cpuUs)} µs (${requests})`)
        .join(', ')}`,
    );
  }
  const result = summarise(rounds, options);
  for (const line of describe(result)) print(line);
  return result;
}

/** After so many requests the compiler has done most of its work, which would otherwise be counted as the requests'. */
const WARM_REQUESTS = 20_000;
/** Not for ever on a slow machine. */
const WARM_TURNS = 6;

async function warmUp(servers: Servers, generator: Generator, server: ServerName, seconds: number): Promise<void> {
  let sent = 0;
  for (let turn = 0; turn < WARM_TURNS && sent < WARM_REQUESTS; turn++) {
    for (const phase of PHASES) sent += (await measure(servers, generator, server, phase, seconds)).requests;
  }
}

/** Every server once, both phases, one after another: what disturbs the machine disturbs them all. */
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
    postgres: familySeconds(postgresPid),
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
