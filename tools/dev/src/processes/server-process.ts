import type { Child } from './child.ts';

/** The process of a server that can be killed, suspended and started again. */
export interface ServerProcess {
  readonly pid: number;
  /** Kills the server and waits for its end. */
  readonly crash: () => Promise<void>;
  /** Suspends the server (SIGSTOP), until `resume`. */
  readonly pause: () => void;
  readonly resume: () => void;
  /** Starts a crashed or running server again. */
  readonly restart: () => Promise<void>;
  /** Also waits for a restart that is in progress: its process would stay running. */
  readonly stop: () => Promise<void>;
}

/** Follows a server over its restarts. @param crashSignal SIGKILL by default */
export function followServer(
  started: Child,
  launch: () => Promise<Child>,
  crashSignal: NodeJS.Signals = 'SIGKILL',
): ServerProcess {
  let child = started;
  let restarting: Promise<void> | undefined;
  const relaunch = async (): Promise<void> => {
    await child.stop();
    child = await launch();
  };
  return {
    get pid() {
      return child.pid;
    },
    async crash() {
      child.kill(crashSignal);
      await child.ended;
    },
    pause: () => child.kill('SIGSTOP'),
    resume: () => child.kill('SIGCONT'),
    restart: () => (restarting = relaunch()),
    async stop() {
      await restarting?.catch(() => undefined);
      await child.stop();
    },
  };
}
