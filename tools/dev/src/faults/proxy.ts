import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Target {
  readonly host: string;
  readonly port: number;
}

/** `to`: from whoever connected to the target; `back`: the target's replies. */
type Direction = 'to' | 'back' | 'both';

/** What a link does to what passes. */
export type LinkFault =
  /** Everything arrives, so much later, in order. */
  | { readonly kind: 'latency'; readonly ms: number; readonly direction?: Direction }
  /** Nothing arrives and nobody is told: connections open, and stay silent. What was sent arrives when it is over. */
  | { readonly kind: 'black-hole'; readonly direction?: Direction }
  /** Nothing listens, and what was connected is cut. */
  | { readonly kind: 'refuse' };

/** A TCP connection's way from one part to another, on which faults can be played. */
export interface Link {
  readonly name: string;
  readonly port: number;
  /** Plays a fault until the next call; null ends it. */
  play(fault: LinkFault | null): Promise<void>;
  /** Cuts every connection that is open now (RST). */
  reset(): void;
  /** Forgets every connection that is open now, as a firewall does: nothing passes on it ever again, and nobody is told. */
  forget(): void;
  close(): Promise<void>;
}

/** More than this on its way is not read before some of it has arrived. */
const HIGH_WATER = 1 << 20;
const RELISTEN_ATTEMPTS = 50;

/**
 * Listens on a loopback port and passes every connection on to a target; with several, to the next in turn that accepts. Knows nothing of
 * what is said on it. The faults are those of Shopify's toxiproxy that a Node process can play.
 */
export async function openLink({
  name,
  port,
  targets,
}: {
  name: string;
  port: number;
  targets: readonly Target[];
}): Promise<Link> {
  const open = new Set<Connection>();
  let fault: LinkFault | null = null;
  let turn = 0;
  let server = await listen();

  function listen(): Promise<Server> {
    // Half-open connections are passed on as such: who has sent all may still be waiting for the reply.
    const made = createServer({ allowHalfOpen: true }, accept);
    return new Promise((resolve, reject) => {
      made.once('error', reject);
      made.listen({ port, host: '127.0.0.1' }, () => resolve(made));
    });
  }

  function accept(client: Socket): void {
    const connection = join(client, (reached) => {
      const first = turn++;
      reach(first, 0, reached);
    });
    open.add(connection);
    void connection.over.then(() => open.delete(connection));
    connection.play(fault);
  }

  function reach(first: number, tried: number, reached: (target: Socket | null) => void): void {
    const { host, port: to } = targets[(first + tried) % targets.length]!;
    const socket = connect({ host, port: to, allowHalfOpen: true });
    const failed = (): void => (tried + 1 < targets.length ? reach(first, tried + 1, reached) : reached(null));
    socket.once('error', failed);
    socket.once('connect', () => {
      socket.removeListener('error', failed);
      reached(socket);
    });
  }

  const cut = (): void => {
    for (const connection of open) connection.cut();
  };
  const stopListening = (): Promise<void> =>
    new Promise((closed) => (server.listening ? server.close(() => closed()) : closed()));

  return {
    name,
    port: (server.address() as AddressInfo).port,
    async play(next) {
      fault = next;
      if (next?.kind === 'refuse') {
        const closed = stopListening();
        cut();
        await closed;
        return;
      }
      for (const connection of open) connection.play(next);
      for (let attempt = 1; !server.listening; attempt++) {
        try {
          server = await listen();
        } catch (error) {
          // Somebody's outgoing connection may sit on the port for a moment.
          if (attempt === RELISTEN_ATTEMPTS) throw error;
          await sleep(100);
        }
      }
    },
    reset: cut,
    forget() {
      for (const connection of open) connection.forget();
    },
    async close() {
      const closed = stopListening();
      cut();
      await closed;
    },
  };
}

interface Connection {
  readonly over: Promise<void>;
  play(fault: LinkFault | null): void;
  forget(): void;
  cut(): void;
}

/** Ties a client to the target that `reach` finds for it; in a black hole the target is not even looked for. */
function join(client: Socket, reach: (reached: (target: Socket | null) => void) => void): Connection {
  let target: Socket | undefined;
  let to: Pipe | undefined;
  let back: Pipe | undefined;
  let fault: LinkFault | null = null;
  let reaching = false;
  let forgotten = false;
  let done = false;
  let finish = (): void => undefined;
  const over = new Promise<void>((resolve) => (finish = resolve));

  const cut = (): void => {
    if (done) return;
    done = true;
    to?.stop();
    back?.stop();
    client.resetAndDestroy();
    target?.resetAndDestroy();
    finish();
  };
  const leave = (): void => {
    if (done || !client.destroyed || (target !== undefined && !target.destroyed)) return;
    done = true;
    finish();
  };
  const seek = (): void => {
    if (reaching || done || silent(fault, 'to')) return;
    reaching = true;
    reach((reached) => {
      if (reached === null || done) {
        reached?.destroy();
        return cut();
      }
      target = reached;
      reached.on('error', cut);
      reached.once('close', leave);
      to = pipe(client, reached);
      back = pipe(reached, client);
      apply();
    });
  };
  const apply = (): void => {
    to?.play(delayOf(fault, 'to'), silent(fault, 'to'));
    back?.play(delayOf(fault, 'back'), silent(fault, 'back'));
  };
  client.pause();
  client.on('error', cut);
  client.once('close', () => {
    // Gone without an error, with the target still there: its end was passed on, or it never got that far.
    if (target === undefined) cut();
    leave();
  });
  return {
    over,
    play(next) {
      fault = forgotten ? fault : next;
      seek();
      apply();
    },
    forget() {
      forgotten = true;
      fault = { kind: 'black-hole' };
      apply();
    },
    cut,
  };
}

const concerns = (fault: { direction?: Direction }, direction: 'to' | 'back'): boolean =>
  (fault.direction ?? 'both') === 'both' || fault.direction === direction;
const silent = (fault: LinkFault | null, direction: 'to' | 'back'): boolean =>
  fault?.kind === 'black-hole' && concerns(fault, direction);
const delayOf = (fault: LinkFault | null, direction: 'to' | 'back'): number =>
  fault?.kind === 'latency' && concerns(fault, direction) ? fault.ms : 0;

interface Pipe {
  play(delayMs: number, silent: boolean): void;
  stop(): void;
}

/** Passes on what one socket says to another: in order, late or not at all for a while. */
function pipe(from: Socket, into: Socket): Pipe {
  /** What is on its way, oldest first; null is the end. */
  const underway: { at: number; chunk: Buffer | null }[] = [];
  let bytes = 0;
  let delayMs = 0;
  let isSilent = false;
  let timer: NodeJS.Timeout | undefined;

  const flow = (): void => {
    if (isSilent || bytes > HIGH_WATER || into.writableNeedDrain) from.pause();
    else from.resume();
  };
  const deliver = (): void => {
    clearTimeout(timer);
    timer = undefined;
    const now = performance.now();
    for (let next = underway[0]; next !== undefined; next = underway[0]) {
      if (isSilent || into.writableNeedDrain) break;
      if (next.at > now) {
        timer = setTimeout(deliver, next.at - now);
        break;
      }
      underway.shift();
      if (next.chunk === null) into.end();
      else {
        bytes -= next.chunk.length;
        into.write(next.chunk);
      }
    }
    flow();
  };
  const take = (chunk: Buffer | null): void => {
    // Never overtaken by what comes after the fault has ended.
    const at = Math.max(performance.now() + delayMs, underway.at(-1)?.at ?? 0);
    underway.push({ at: delayMs === 0 && underway.length === 0 ? 0 : at, chunk });
    bytes += chunk?.length ?? 0;
    deliver();
  };
  from.on('data', take);
  from.once('end', () => take(null));
  into.on('drain', deliver);
  return {
    play(nextDelayMs, nextSilent) {
      delayMs = nextDelayMs;
      isSilent = nextSilent;
      deliver();
    },
    stop: () => clearTimeout(timer),
  };
}
