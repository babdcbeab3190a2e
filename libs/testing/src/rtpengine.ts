import { randomUUID } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { requestTestServices } from './services.ts';

/** A media relay on loopback. */
export interface TestRtpengine {
  /** Where kamailio controls it: `udp:<host>:<port>`. */
  readonly control: string;
  /** The process id, which changes with a restart. */
  readonly pid: number;
  /** Whether it relays the audio of a call, by the Call-ID of SIP. */
  knows(callId: string): Promise<boolean>;
  /** The addresses to which it sends the audio of a call, from both sides; none for an unknown call. */
  destinations(callId: string): Promise<string[]>;
  /** Whether it has learnt from where both sides of a call send, and hears nothing else. */
  hasLearnt(callId: string): Promise<boolean>;
  /** Kills the server (SIGKILL). The audio of all calls ends. */
  crash(): Promise<void>;
  /** Starts a crashed or running server again, with the same ports and without calls. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

type Description = { id: string } & Pick<TestRtpengine, 'control' | 'pid'>;

/** Starts an rtpengine for one test file. It ends with `stop`, or with the test run. */
export async function createTestRtpengine(): Promise<TestRtpengine> {
  let current = await requestTestServices<Description>('POST', '/rtpengine');
  const { id, control } = current;
  const act = async (action: string): Promise<void> => {
    current = await requestTestServices<Description>('POST', `/rtpengine/${id}/${action}`);
  };
  const query = (callId: string): Promise<string> =>
    ask(control, `d7:call-id${callId.length}:${callId}7:command5:querye`);
  return {
    control,
    knows: async (callId) => !(await query(callId)).includes('Unknown call-id'),
    async destinations(callId) {
      const endpoints = (await query(callId)).matchAll(
        /8:endpointd6:family4:IPv[46]7:address\d+:([\da-f.:]+?)4:porti[1-9]/g,
      );
      return [...new Set([...endpoints].map(([, address = '']) => address))].toSorted();
    },
    hasLearnt: async (callId) => (await query(callId)).match(/3:RTP6:filled9:confirmed/g)?.length === 2,
    get pid() {
      return current.pid;
    },
    crash: () => act('crash'),
    restart: () => act('restart'),
    async stop() {
      await requestTestServices('DELETE', `/rtpengine/${id}`);
    },
  };
}

/** Sends a request of its control protocol, in bencode after a cookie of its own, and returns the reply. */
async function ask(control: string, request: string): Promise<string> {
  const [, host = '', port] = control.split(':');
  const socket = createSocket('udp4');
  try {
    const replied = once(socket, 'message') as Promise<[Buffer]>;
    socket.send(`${randomUUID()} ${request}`, Number(port), host);
    const [reply] = await replied;
    return reply.toString();
  } finally {
    socket.close();
  }
}
