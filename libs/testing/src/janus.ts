import { requestTestServices } from './services.ts';

/** A Janus server on loopback with the plugins SIP, AudioBridge and VideoRoom. */
export interface TestJanus {
  /** The WebSocket of the Janus API, subprotocol `janus-protocol`. */
  readonly url: string;
  /** The WebSocket of the Admin API, subprotocol `janus-admin-protocol`. */
  readonly adminUrl: string;
  readonly apiSecret: string;
  readonly adminSecret: string;
  /** Allows the creation of rooms in the AudioBridge and the VideoRoom. */
  readonly adminKey: string;
  /** The process id, which changes with a restart. */
  readonly pid: number;
  /** Kills the server (SIGKILL). */
  crash(): Promise<void>;
  /** Suspends the server (SIGSTOP), until `resume`. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Starts a crashed or running server again, with the same ports and secrets. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

type Description = { id: string } & Pick<
  TestJanus,
  'url' | 'adminUrl' | 'apiSecret' | 'adminSecret' | 'adminKey' | 'pid'
>;

/** Starts a Janus server for one test file. It ends with `stop`, or with the test run. */
export async function createTestJanus(): Promise<TestJanus> {
  let current = await requestTestServices<Description>('POST', '/janus');
  const { id, url, adminUrl, apiSecret, adminSecret, adminKey } = current;
  const act = async (action: string): Promise<void> => {
    current = await requestTestServices<Description>('POST', `/janus/${id}/${action}`);
  };
  return {
    url,
    adminUrl,
    apiSecret,
    adminSecret,
    adminKey,
    get pid() {
      return current.pid;
    },
    crash: () => act('crash'),
    pause: () => act('pause'),
    resume: () => act('resume'),
    restart: () => act('restart'),
    async stop() {
      await requestTestServices('DELETE', `/janus/${id}`);
    },
  };
}
