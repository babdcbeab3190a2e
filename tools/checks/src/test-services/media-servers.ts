import { startJanus, type JanusServer } from '@partyline/dev/janus/janus';
import { startKamailio, type KamailioServer, type Trunk } from '@partyline/dev/kamailio/kamailio';
import { startRtpengine, type RtpengineServer } from '@partyline/dev/rtpengine/rtpengine';

/** The media servers of the test files of one run. Each test file starts and breaks its own. */
export interface MediaServers {
  /** Whether there are servers of this kind. */
  has(kind: string): boolean;
  /** Starts a server, and returns its id and what a client needs to know of it. */
  start(kind: string, options: object): Promise<object>;
  /** Runs an action of a server, e.g. `crash`, and returns what a client then needs to know of it. */
  act(id: string, action: string, argument: object): Promise<object>;
  stop(id: string): Promise<object>;
  /** Stops all servers, also those that are starting. */
  stopAll(): Promise<void>;
}

interface Running {
  describe(): object;
  readonly actions: Readonly<Record<string, (argument: object) => unknown>>;
  stop(): Promise<void>;
}

const KINDS: Readonly<Record<string, (options: object) => Promise<Running>>> = {
  janus: async () => controlJanus(await startJanus({ rtpPorts: RTP_PORTS, log: printLine })),
  kamailio: async (options) => controlKamailio(await startKamailio({ ...options, log: printLine })),
  rtpengine: async () => controlRtpengine(await startRtpengine({ log: printLine })),
};
/** Fewer than by default, so that many test runs fit on one machine. */
const RTP_PORTS = 200;

export function createMediaServers(): MediaServers {
  const servers = new Map<string, Promise<Running>>();
  const find = async (id: string): Promise<Running> => {
    const server = await servers.get(id);
    if (server) return server;
    throw new Error(`No media server ${id} is running.`);
  };
  const stop = async (id: string): Promise<object> => {
    const server = servers.get(id);
    servers.delete(id);
    // A server that did not start needs no stop.
    await (await server?.catch(() => undefined))?.stop();
    return {};
  };
  let count = 0;
  return {
    has: (kind) => Object.hasOwn(KINDS, kind),
    async start(kind, options) {
      const id = `${kind}-${(count += 1)}`;
      const starting = KINDS[kind]?.(options) ?? Promise.reject(new Error(`No media server is called ${kind}.`));
      servers.set(id, starting);
      return { id, ...(await starting).describe() };
    },
    async act(id, action, argument) {
      const server = await find(id);
      const run = server.actions[action];
      if (!run) throw new Error(`The media server ${id} has no action ${action}.`);
      await run(argument);
      return { id, ...server.describe() };
    },
    stop,
    async stopAll() {
      await Promise.all([...servers.keys()].map(stop));
    },
  };
}

function controlJanus(server: JanusServer): Running {
  return {
    describe: () => ({
      url: server.url,
      adminUrl: server.adminUrl,
      apiSecret: server.apiSecret,
      adminSecret: server.adminSecret,
      adminKey: server.adminKey,
      pid: server.pid,
    }),
    actions: {
      crash: () => server.crash(),
      pause: () => server.pause(),
      resume: () => server.resume(),
      restart: () => server.restart(),
    },
    stop: () => server.stop(),
  };
}

function controlKamailio(server: KamailioServer): Running {
  return {
    describe: () => ({
      sipUri: server.sipUri,
      tlsUri: server.tlsUri,
      rpcUrl: server.rpcUrl,
      rpcSecret: server.rpcSecret,
      gatewaySecret: server.gatewaySecret,
      pid: server.pid,
    }),
    actions: {
      trunks: (trunk) => server.addTrunk(trunk as Trunk),
      crash: () => server.crash(),
      restart: () => server.restart(),
    },
    stop: () => server.stop(),
  };
}

function controlRtpengine(server: RtpengineServer): Running {
  return {
    describe: () => ({ control: server.control, pid: server.pid }),
    actions: { crash: () => server.crash(), restart: () => server.restart() },
    stop: () => server.stop(),
  };
}

function printLine(line: string): void {
  console.error(line);
}
