import { randomUUID } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { findRtpengine } from '../packages/programs.ts';
import type { Program } from '../packages/find-program.ts';
import { startChild, type Child } from '../processes/child.ts';
import { findFreePort, reserveMediaPorts, type PortWindow } from '../processes/ports.ts';
import { waitUntilReady } from '../processes/readiness.ts';
import { followServer } from '../processes/server-process.ts';
import { inWorkspace } from '../workspace.ts';

export interface RtpengineOptions {
  logFile?: string;
  log?: (line: string) => void;
  /** Number of UDP ports. A call takes four. */
  rtpPorts?: number;
}

export interface RtpengineServer {
  readonly name: 'rtpengine';
  /** Where kamailio controls it (KAMAILIO_RTPENGINE): `udp:<host>:<port>`. */
  readonly control: string;
  readonly pid: number;
  /** Kills the server (SIGKILL). The sound of all calls ends. */
  crash(): Promise<void>;
  /** Starts a crashed or running server again, with the same ports and without calls. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

const DEFAULT_RTP_PORTS = 200;
const PROBE_TIMEOUT_MS = 1_000;

/** Starts a media relay (deploy/rtpengine/rtpengine.conf) on loopback. It ends with this process. */
export async function startRtpengine(options: RtpengineOptions = {}): Promise<RtpengineServer> {
  const program = await findRtpengine(options.log ?? (() => undefined));
  const port = await findFreePort();
  const window = await reserveMediaPorts(options.rtpPorts ?? DEFAULT_RTP_PORTS);
  const relaunch = (): Promise<Child> => launch(program, port, window, options.logFile);
  try {
    const server = followServer(await relaunch(), relaunch);
    return {
      name: 'rtpengine',
      control: `udp:127.0.0.1:${port}`,
      get pid() {
        return server.pid;
      },
      crash: server.crash,
      restart: server.restart,
      async stop() {
        await server.stop();
        window.release();
      },
    };
  } catch (error) {
    window.release();
    throw error;
  }
}

async function launch(
  program: Program,
  port: number,
  { first, last }: PortWindow,
  logFile: string | undefined,
): Promise<Child> {
  const child = startChild({
    name: 'rtpengine',
    command: program.path,
    args: [
      `--config-file=${inWorkspace('deploy/rtpengine/rtpengine.conf')}`,
      '--foreground',
      '--interface=outside/127.0.0.1',
      '--interface=inside/127.0.0.1',
      `--listen-ng=127.0.0.1:${port}`,
      `--port-min=${first}`,
      `--port-max=${last}`,
    ],
    env: { PATH: process.env.PATH, ...program.env },
    ...(logFile !== undefined && { logFile }),
  });
  try {
    await waitUntilReady(child, { probe: () => answersPing(port) });
    return child;
  } catch (error) {
    await child.stop();
    throw error;
  }
}

/** Whether the control port answers a ping of its protocol: a cookie of its own, and bencode. */
function answersPing(port: number): Promise<boolean> {
  return new Promise((answer) => {
    const socket = createSocket('udp4');
    const finish = (isReady: boolean): void => {
      clearTimeout(timer);
      socket.close();
      answer(isReady);
    };
    const timer = setTimeout(finish, PROBE_TIMEOUT_MS, false);
    socket.once('error', () => finish(false));
    socket.once('message', (data) => finish(data.toString().includes('pong')));
    socket.connect(port, '127.0.0.1', () => socket.send(`${randomUUID()} d7:command4:pinge`));
  });
}
