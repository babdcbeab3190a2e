import { randomBytes, randomInt } from 'node:crypto';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { execa, execaSync } from 'execa';
import { startChild } from '../processes/child.ts';
import { waitUntilReady } from '../processes/readiness.ts';

/** A network namespace for one phone, with one link to this machine. It ends with this process. */
export interface OwnNetwork {
  /** The phone's IPv4 address, in 127/8. From there, 127.0.0.1 is this machine, and nothing else is reached. */
  readonly address: string;
  /** Returns the command line that runs a program there. */
  commandOf(command: string, args: readonly string[]): { readonly command: string; readonly args: string[] };
  /** Takes the link down: packets of both sides are lost without a notice to this machine. */
  cut(): Promise<void>;
  /** Takes the link up again. */
  mend(): Promise<void>;
  stop(): Promise<void>;
}

/** Of the phone's end of the link. */
const MAC = '02:00:00:00:00:01';
const PROGRAMS = ['ip', 'unshare', 'nsenter'];
/**
 * Allows loopback addresses on a link, and no addresses of IPv6: programs that listen on every address
 * of this machine would notice the link, and its end.
 */
const SET_UP =
  'echo 1 >/proc/sys/net/ipv4/conf/"$1"/route_localnet; v6=/proc/sys/net/ipv6/conf/"$1"/disable_ipv6; ' +
  '[ ! -e "$v6" ] || echo 1 >"$v6"';
/** Does in a network of its own what `openOwnNetwork` does in that of this machine. */
const TRIAL = 'ip link add trial type veth peer name other && test -w /proc/sys/net/ipv4/conf/trial/route_localnet';
/** `ip` is not on the PATH of every user. */
const PATH = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`;

/** Why this machine cannot open a network; undefined where an error of `openOwnNetwork` is a fault. */
export function whyNoOwnNetwork(): string | undefined {
  if (process.getuid?.() !== 0) return 'it needs root';
  const missing = PROGRAMS.filter((name) => !PATH.split(delimiter).some((folder) => existsSync(join(folder, name))));
  if (missing.length > 0) return `it needs ${missing.join(', ')}`;
  // Root of a container may lack the rights, or a writable /proc/sys.
  const trial = execaSync('unshare', ['--net', 'sh', '-c', TRIAL], { env: { PATH }, reject: false });
  return trial.exitCode === 0 ? undefined : `it is not allowed: ${trial.stderr || 'no writable /proc/sys'}`;
}

/**
 * Opens a network on Linux. Everything on this machine may keep its loopback addresses: the link
 * carries them.
 * @throws Error where `whyNoOwnNetwork` has a reason, and when a command fails
 */
export async function openOwnNetwork(): Promise<OwnNetwork> {
  const holder = startChild({
    name: 'network',
    command: 'unshare',
    args: ['--net', 'sh', '-c', 'echo ready; exec sleep infinity'],
  });
  const inside = ['nsenter', `--net=/proc/${holder.pid}/ns/net`];
  const link = `phone${randomBytes(4).toString('hex')}`;
  const address = `127.${randomInt(64, 128)}.${randomInt(256)}.${randomInt(1, 255)}`;
  const run = async (...command: readonly string[]): Promise<void> => {
    await execa(command[0]!, command.slice(1), { env: { PATH } });
  };
  const route = ['ip', 'route', 'add', '127.0.0.1/32', 'dev', 'eth0', 'src', address];
  try {
    await waitUntilReady(holder, { line: /ready/ });
    const peer = ['peer', 'name', 'eth0', 'address', MAC, 'netns', String(holder.pid)];
    await run('ip', 'link', 'add', link, 'type', 'veth', ...peer);
    await run('sh', '-c', SET_UP, 'sh', link);
    await run(...inside, 'sh', '-c', SET_UP, 'sh', 'eth0');
    await run(...inside, 'ip', 'address', 'add', `${address}/32`, 'dev', 'eth0');
    await run(...inside, 'ip', 'link', 'set', 'eth0', 'up');
    await run('ip', 'link', 'set', link, 'up');
    // In the table of this machine's own addresses, which has all of 127/8.
    await run('ip', 'route', 'add', `${address}/32`, 'dev', link, 'table', 'local', 'src', '127.0.0.1');
    // Without it, a sender would learn after three seconds that the phone is not there.
    await run('ip', 'neighbour', 'add', address, 'lladdr', MAC, 'dev', link, 'nud', 'permanent');
    await run(...inside, ...route);
  } catch (error) {
    await holder.stop();
    throw error;
  }
  return {
    address,
    commandOf: (command, args) => ({ command: inside[0]!, args: [...inside.slice(1), command, ...args] }),
    cut: () => run(...inside, 'ip', 'link', 'set', 'eth0', 'down'),
    async mend() {
      await run(...inside, 'ip', 'link', 'set', 'eth0', 'up');
      // The link has lost its routes.
      await run(...inside, ...route);
    },
    // The link ends with the namespace.
    stop: () => holder.stop(),
  };
}
