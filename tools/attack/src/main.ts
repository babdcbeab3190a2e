import { execFileSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { buildApps } from '@partyline/dev/build';
import { waitForInterrupt } from '@partyline/dev/processes/processes';
import { startStack, type Stack } from '@partyline/dev/stack/stack';
import { failuresOf, runGroup, type Result } from './group.ts';
import { GROUPS } from './groups/all.ts';
import { findMissingServer } from './self-hosted/find-missing-server.ts';
import { openTarget } from './target.ts';

const HELP = `npm run attack [-- OPTIONS]

Attacks a running Partyline: the four services as processes, with their own Postgres and Redis, an emulated provider,
and our own servers (kamailio, and two gateways with a Janus each). Every input is bad and must be rejected. An input
counts as accepted if it is admitted, causes a server error, ends a process or a call of another, or reads or changes
another tenant's data. Takes about two minutes.

  --seed N       seed of the randomness; default: random, printed
  --group NAME   run only this group; may be repeated
  --json         print only the result, as JSON
  --help         print this text

${GROUPS.map(({ name, summary }) => `  ${name.padEnd(20)} ${summary}`).join('\n')}

The last line is JSON. Exit status 1 if an input was accepted or a group made too few inputs; 2 for wrong arguments.`;

/** A call and the browsers of its conference may be at different ones. */
const GATEWAYS = 2;

const { seed, groups, json } = readArguments();
const say = (line: string): void => {
  if (!json) console.log(line);
};
const started = performance.now();
const seconds = (): number => Math.round((performance.now() - started) / 100) / 10;
const progress = (line: string): void => say(`${seconds().toFixed(1).padStart(6)} s  ${line}`);

let stack: Stack | undefined;
void waitForInterrupt().then(async () => {
  await stack?.stop();
  process.exit(130);
});

try {
  await buildApps({ log: progress });
  // Logs at level debug, so that the logs hold everything that a service can log. Only the cleanup
  // worker may deliver to private addresses, for captureDeliveries; the ssrf group tests its
  // policy.
  const environment = (service: string): Record<string, string> => ({
    LOG_LEVEL: 'debug',
    UNAUTHENTICATED_PER_MINUTE: '1000000',
    // For the edges: the attacker's addresses are given as a proxy would, and slow clients are
    // found soon.
    TRUSTED_PROXIES: '127.0.0.1',
    HEADERS_TIMEOUT_MS: '2000',
    REQUEST_TIMEOUT_MS: '4000',
    EVENTS_ALLOW_PRIVATE: service === 'cleanup-worker' ? 'on' : 'off',
  });
  const needsGateways = groups.some((group) => group.needsGateways);
  const missing = needsGateways ? await findMissingServer(progress) : null;
  if (missing !== null) progress(`without our own servers: ${missing}`);
  stack = await startStack({
    mode: 'unified',
    useOwnServers: true,
    log: progress,
    environment,
    ...(needsGateways && missing === null && { trunkGateways: GATEWAYS }),
  });
  const target = await openTarget(stack, seed, missing);
  progress(`everything is up; seed ${seed}\n`);
  const results: Record<string, Result> = {};
  for (const group of groups) {
    const result = await runGroup(group, target);
    results[group.name] = result;
    say(
      `${group.name.padEnd(20)} bad inputs ${String(result.inputs).padStart(6)}, ` +
        `accepted ${result.accepted.length}   ${result.seconds.toFixed(1)} s`,
    );
    for (const [what, figure] of Object.entries(result.figures)) say(`  ${what}: ${figure}`);
    for (const line of failuresOf(group.name, result).slice(0, 20)) console.error(`  ${line}`);
  }
  await target.close();
  await stack.stop();
  const wrong = Object.entries(results).flatMap(([name, result]) => failuresOf(name, result));
  console.log(JSON.stringify(summariseRun(results)));
  process.exit(wrong.length === 0 ? 0 : 1);
} catch (error) {
  console.error(`The attack failed: ${error instanceof Error ? error.message : String(error)}`);
  if (stack) console.error(`The services' logs are in ${stack.logFolder}`);
  await stack?.stop();
  process.exit(1);
}

function summariseRun(results: Readonly<Record<string, Result>>): object {
  const all = Object.values(results);
  return {
    badInputs: all.reduce((sum, { inputs }) => sum + inputs, 0),
    accepted: all.reduce((sum, { accepted }) => sum + accepted.length, 0),
    groups: Object.fromEntries(
      Object.entries(results).map(([name, { inputs, accepted, figures, seconds: took }]) => [
        name,
        { inputs, accepted: accepted.length, ...(Object.keys(figures).length > 0 && { figures }), seconds: took },
      ]),
    ),
    seconds: seconds(),
    seed,
    commit: execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim(),
  };
}

function readArguments(): { seed: number; groups: typeof GROUPS; json: boolean } {
  try {
    const { values } = parseArgs({
      options: {
        seed: { type: 'string' },
        group: { type: 'string', multiple: true },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.help) {
      console.log(HELP);
      process.exit(0);
    }
    const given = values.seed === undefined ? Math.floor(Math.random() * 1_000_000) : Number(values.seed);
    if (!Number.isInteger(given) || given < 0)
      throw new Error(`--seed must be a non-negative integer, not "${values.seed}".`);
    for (const name of values.group ?? [])
      if (!GROUPS.some((group) => group.name === name))
        throw new Error(`--group must be one of: ${GROUPS.map((group) => group.name).join(', ')}; not "${name}".`);
    return {
      seed: given,
      groups: GROUPS.filter(({ name }) => values.group?.includes(name) ?? true),
      json: values.json,
    };
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${HELP}`);
    return process.exit(2);
  }
}
