import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { findCoturn } from '../packages/programs.ts';
import { startChild } from '../processes/child.ts';
import { findFreePort, reserveMediaPorts } from '../processes/ports.ts';
import { waitUntilReady } from '../processes/readiness.ts';

export interface TurnServer {
  /** `turn:` URL for browsers. */
  readonly url: string;
  /** Signs the credentials of its users: `static-auth-secret`. */
  readonly secret: string;
  stop(): Promise<void>;
}

const RELAY_PORTS = 50;

/** An address of this machine that a media server takes for its candidates. Its packets do not leave the machine. */
function ownAddress(): string {
  const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  return addresses.find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? '127.0.0.1';
}

/** Starts a coturn that listens on loopback. It ends with this process. */
export async function startCoturn(log: (line: string) => void = () => undefined): Promise<TurnServer> {
  const program = await findCoturn(log);
  const port = await findFreePort();
  const relay = await reserveMediaPorts(RELAY_PORTS);
  const secret = randomBytes(24).toString('base64url');
  const folder = mkdtempSync(join(tmpdir(), 'partyline-coturn-'));
  const child = startChild({
    name: 'coturn',
    command: program.path,
    args: [
      // Without a configuration file.
      '-n',
      '--listening-ip=127.0.0.1',
      `--listening-port=${port}`,
      `--relay-ip=${ownAddress()}`,
      `--min-port=${relay.first}`,
      `--max-port=${relay.last}`,
      '--use-auth-secret',
      `--static-auth-secret=${secret}`,
      '--realm=partyline',
      '--allow-loopback-peers',
      '--no-tls',
      '--no-dtls',
      '--no-cli',
      '--log-file=stdout',
      `--pidfile=${join(folder, 'pid')}`,
      `--userdb=${join(folder, 'users')}`,
    ],
    env: { PATH: process.env.PATH, ...program.env },
    cwd: folder,
  });
  const stop = async (): Promise<void> => {
    await child.stop();
    relay.release();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await waitUntilReady(child, { line: /IPv4\. UDP listener opened|Total General servers|IO method \(general relay/ });
  } catch (error) {
    await stop();
    throw error;
  }
  return { url: `turn:127.0.0.1:${port}?transport=udp`, secret, stop };
}
