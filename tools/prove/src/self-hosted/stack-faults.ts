import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { readyPath, type ServiceName } from '@partyline/dev/stack/service-environment';
import type { GatewayInstance, SelfHosted } from '@partyline/dev/stack/self-hosted';
import type { Stack } from '@partyline/dev/stack/stack';
import { hasGateways } from './row.ts';
import { until } from '@partyline/dev/processes/until';

/** What a fault may touch. */
export interface FaultContext {
  readonly stack: Stack;
  readonly selfHosted: SelfHosted;
  /** The gateway that has most callers of the room that ends. */
  readonly target: GatewayInstance;
}

/** The moment from which a bound counts: the decision to end the room, the fault, or the end of the fault. */
export type Moment = 'end' | 'fault' | 'recovery';

/** A part that fails while a room ends, as a row of the guarantee. */
export interface StackFault {
  readonly name: string;
  readonly isQuick?: boolean;
  /** Every call of the room that ends is over so many seconds after `since`. */
  readonly boundS: number;
  readonly since: Moment;
  /** The same for the calls of another room that the fault takes down. Null: it may take down none. */
  readonly others: { readonly boundS: number; readonly since: Moment; readonly at: 'target' | 'every-gateway' } | null;
  /** How long the fault lasts; null: until every call that it ends is over. */
  readonly lastsMs: number | null;
  /** Whether the tenant ends the room just before the fault, and not after it. */
  readonly endsFirst?: boolean;
  readonly restartsKamailio?: boolean;
  /** Whether kamailio does not know the calls any more. */
  readonly losesDialogs?: boolean;
  readonly inject: (context: FaultContext) => Promise<void>;
  /** Ends the fault. Returns when the parts are ready. */
  readonly recover: (context: FaultContext) => Promise<void>;
}

const READY_TIMEOUT_MS = 40_000;
const REGISTER_TIMEOUT_MS = 90_000;
/** A Janus that continues handles what has piled up, and then has crashed or not. */
const JANUS_CRASH_MS = 1_000;

async function kill(gateway: GatewayInstance): Promise<void> {
  gateway.child?.kill('SIGKILL');
  await gateway.child?.ended;
}

/** Waits until a gateway is connected with its Janus and registered at kamailio. */
const awaitReady = (gateway: GatewayInstance): Promise<number> =>
  until(
    `${gateway.id} is ready`,
    () =>
      fetch(`${gateway.managementUrl}${readyPath}`).then(
        (reply) => reply.ok,
        () => false,
      ),
    READY_TIMEOUT_MS,
  );

/** Seconds after the decision to end a room in which a dead gateway's calls end at kamailio. */
const AFTER_END = { boundS: 15, since: 'end' } as const;

const nothing: StackFault = {
  name: 'nothing fails',
  isQuick: true,
  boundS: 2,
  since: 'end',
  others: null,
  lastsMs: 0,
  inject: async () => undefined,
  recover: async () => undefined,
};

const gatewayKilled: StackFault = {
  name: 'media-gateway killed',
  isQuick: true,
  ...AFTER_END,
  // Janus ends the session of a lost connection at once.
  others: { boundS: 2, since: 'fault', at: 'target' },
  lastsMs: null,
  inject: ({ target }) => kill(target),
  recover: ({ target }) => target.start(),
};

const gatewayKilledLate: StackFault = {
  ...gatewayKilled,
  name: 'media-gateway killed just after the end',
  isQuick: false,
  endsFirst: true,
};

const gatewayRestarted: StackFault = {
  name: 'media-gateway killed and restarted',
  ...AFTER_END,
  others: gatewayKilled.others,
  lastsMs: 0,
  inject: ({ target }) => kill(target),
  recover: ({ target }) => target.start(),
};

const gatewayFrozen: StackFault = {
  name: 'media-gateway stopped (SIGSTOP)',
  ...AFTER_END,
  // The session timeout of Janus is 20 s.
  others: { boundS: 25, since: 'fault', at: 'target' },
  lastsMs: null,
  inject: async ({ target }) => target.child?.kill('SIGSTOP'),
  async recover({ target }) {
    target.child?.kill('SIGCONT');
    await awaitReady(target);
  },
};

/** Lets a Janus continue. Janus 1.1.2 can crash then; it is started again, as a supervisor does. */
async function resumeJanus({ janus }: GatewayInstance): Promise<void> {
  janus.resume();
  await sleep(JANUS_CRASH_MS);
  if (!isRunning(janus.pid)) await janus.restart();
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

const gatewayPaused: StackFault = {
  ...gatewayFrozen,
  name: 'media-gateway stopped for 5 s',
  others: null,
  lastsMs: 5_000,
};

const janusKilled: StackFault = {
  name: 'Janus killed',
  isQuick: true,
  boundS: 2,
  since: 'fault',
  others: { boundS: 2, since: 'fault', at: 'target' },
  lastsMs: null,
  inject: ({ target }) => target.janus.crash(),
  async recover({ target }) {
    await target.janus.restart();
    await awaitReady(target);
  },
};

const janusKilledLate: StackFault = {
  ...janusKilled,
  name: 'Janus killed just after the end',
  isQuick: false,
  endsFirst: true,
};

const janusFrozen: StackFault = {
  name: 'Janus stopped (SIGSTOP)',
  // A keep-alive every 4 s, and 4 s for its answer.
  boundS: 10,
  since: 'fault',
  others: { boundS: 10, since: 'fault', at: 'target' },
  lastsMs: null,
  inject: async ({ target }) => target.janus.pause(),
  async recover({ target }) {
    await resumeJanus(target);
    await awaitReady(target);
  },
};

const gatewayAndJanusKilled: StackFault = {
  name: 'media-gateway and Janus killed',
  ...AFTER_END,
  // The in-dialog keep-alive of kamailio.
  others: { boundS: 60, since: 'fault', at: 'target' },
  lastsMs: null,
  async inject({ target }) {
    await Promise.all([kill(target), target.janus.crash()]);
  },
  async recover({ target }) {
    await target.janus.restart();
    await target.start();
  },
};

const kamailioRestarted: StackFault = {
  name: 'kamailio killed and restarted',
  restartsKamailio: true,
  boundS: 15,
  since: 'recovery',
  others: null,
  lastsMs: 3_000,
  inject: ({ selfHosted }) => selfHosted.kamailio.crash(),
  async recover({ selfHosted }) {
    await selfHosted.kamailio.restart();
    await Promise.all(selfHosted.gateways.map(awaitReady));
  },
};

const kamailioPaused = (seconds: number): StackFault => ({
  name: `kamailio stopped for ${seconds} s (SIGSTOP)`,
  boundS: 15,
  since: 'recovery',
  others: null,
  lastsMs: seconds * 1_000,
  inject: async ({ selfHosted }) => selfHosted.kamailio.pause(),
  async recover({ selfHosted: { kamailio, gateways } }) {
    kamailio.resume();
    await Promise.all(gateways.map(awaitReady));
  },
});

const kamailioAndPostgresRestarted: StackFault = {
  ...kamailioRestarted,
  name: 'kamailio and Postgres killed and restarted',
  async inject({ stack, selfHosted }) {
    await Promise.all([stack.postgres.crash(), selfHosted.kamailio.crash()]);
  },
  async recover(context) {
    await context.stack.postgres.restart();
    await kamailioRestarted.recover(context);
  },
};

const kamailioAndJanusRestarted: StackFault = {
  name: 'kamailio and Janus killed and restarted',
  restartsKamailio: true,
  boundS: 15,
  since: 'recovery',
  others: { boundS: 15, since: 'recovery', at: 'target' },
  lastsMs: 3_000,
  async inject({ target, selfHosted }) {
    await Promise.all([target.janus.crash(), selfHosted.kamailio.crash()]);
  },
  async recover({ target, selfHosted }) {
    await selfHosted.kamailio.restart();
    await target.janus.restart();
    await Promise.all(selfHosted.gateways.map(awaitReady));
  },
};

const kamailioDatabaseLost: StackFault = {
  name: 'kamailio restarted without its database',
  restartsKamailio: true,
  losesDialogs: true,
  boundS: 2,
  since: 'end',
  others: null,
  lastsMs: 0,
  async inject({ stack, selfHosted: { kamailio } }) {
    await kamailio.crash();
    const client = new pg.Client({ connectionString: stack.postgres.urlOf('kamailio') });
    await client.connect();
    try {
      await client.query('TRUNCATE dialog, dialog_vars, location');
    } finally {
      await client.end();
    }
    await kamailio.restart();
  },
  // The gateways register again within a minute.
  async recover({ selfHosted: { kamailio, gateways } }) {
    await until('kamailio knows the gateways', () => hasGateways(kamailio, gateways.length), REGISTER_TIMEOUT_MS);
  },
};

const everythingRestarted: StackFault = {
  name: 'kamailio, media-gateways and Januses killed and restarted',
  restartsKamailio: true,
  boundS: 15,
  since: 'recovery',
  others: { boundS: 15, since: 'recovery', at: 'every-gateway' },
  lastsMs: 3_000,
  async inject({ selfHosted: { kamailio, gateways } }) {
    await Promise.all([kamailio.crash(), ...gateways.flatMap((gateway) => [kill(gateway), gateway.janus.crash()])]);
  },
  async recover({ selfHosted: { kamailio, gateways } }) {
    await kamailio.restart();
    await Promise.all(gateways.map(({ janus }) => janus.restart()));
    await Promise.all(gateways.map((gateway) => gateway.start()));
  },
};

const everythingPaused = (seconds: number): StackFault => ({
  name: `kamailio, media-gateways and Januses stopped for ${seconds} s`,
  boundS: 15,
  since: 'recovery',
  // WebRTC between a gateway and its Janus, which asks every 4 to 6 s, fails 30 s after the last answer, and every
  // call with it.
  others: seconds > 24 ? { boundS: 15, since: 'recovery', at: 'every-gateway' } : null,
  lastsMs: seconds * 1_000,
  async inject({ selfHosted: { kamailio, gateways } }) {
    for (const { child, janus } of gateways) {
      child?.kill('SIGSTOP');
      janus.pause();
    }
    kamailio.pause();
  },
  async recover({ selfHosted: { kamailio, gateways } }) {
    kamailio.resume();
    for (const { child } of gateways) child?.kill('SIGCONT');
    await Promise.all(gateways.map(resumeJanus));
    await Promise.all(gateways.map(awaitReady));
  },
});

const serviceKilled = (service: ServiceName): StackFault => {
  const findInstances = ({ stack }: FaultContext) => stack.instances.filter((each) => each.service === service);
  return {
    name: `${service} killed and restarted`,
    boundS: 30,
    since: 'end',
    others: null,
    lastsMs: 3_000,
    async inject(context) {
      for (const { child } of findInstances(context)) child?.kill('SIGKILL');
      await Promise.all(findInstances(context).flatMap(({ child }) => child?.ended ?? []));
    },
    async recover(context) {
      await Promise.all(findInstances(context).map((instance) => instance.start()));
    },
  };
};

const redisRestarted: StackFault = {
  name: 'Redis killed and restarted',
  boundS: 30,
  since: 'end',
  others: null,
  lastsMs: 3_000,
  inject: ({ stack }) => stack.redis.crash(),
  recover: ({ stack }) => stack.redis.restart(),
};

const postgresRestarted: StackFault = {
  name: 'Postgres killed and restarted',
  boundS: 30,
  since: 'recovery',
  others: null,
  lastsMs: 3_000,
  endsFirst: true,
  inject: ({ stack }) => stack.postgres.crash(),
  recover: ({ stack }) => stack.postgres.restart(),
};

/** In the order in which they are injected. */
export const STACK_FAULTS: readonly StackFault[] = [
  nothing,
  gatewayKilled,
  gatewayKilledLate,
  gatewayRestarted,
  gatewayFrozen,
  gatewayPaused,
  janusKilled,
  janusKilledLate,
  janusFrozen,
  gatewayAndJanusKilled,
  serviceKilled('voice-webhooks'),
  serviceKilled('cleanup-worker'),
  serviceKilled('dial-orchestrator'),
  redisRestarted,
  postgresRestarted,
  { ...kamailioPaused(5), isQuick: true },
  kamailioPaused(40),
  everythingPaused(10),
  everythingPaused(40),
  kamailioRestarted,
  kamailioAndPostgresRestarted,
  kamailioAndJanusRestarted,
  kamailioDatabaseLost,
  everythingRestarted,
];
