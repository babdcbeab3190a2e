import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Target {
  readonly host: string;
  readonly port: number;
}

/** `to`: from the client to the target; `back`: from the target to the client. */
type Direction = 'to' | 'back' | 'both';

/** A fault of a link. */
export type LinkFault =
  /** All data arrives late, in order. */
  | { readonly kind: 'latency'; readonly ms: number; readonly direction?: Direction }
  /** No data arrives. Connections open and stay silent; the data arrives when the fault ends. */
  | { readonly kind: 'black-hole'; readonly direction?: Direction }
  /** New connections are refused, and open ones are reset. */
  | { readonly kind: 'refuse' };

/** A TCP proxy between two parts, into which faults can be injected. */
export interface Link {
  readonly name: string;
  readonly port: number;
  /** Sets the fault until the next call; null ends it. */
  setFault(fault: LinkFault | null): Promise<void>;
  /** Resets every open connection (RST). */
  resetConnections(): void;
  /**
   * Stops all data on every open connection for good, without closing it, like a firewall that
   * drops its state.
   */
  abandonConnections(): void;
  close(): Promise<void>;
}

/** Limit of buffered data per direction. */
const HIGH_WATER_BYTES = 1 << 20;
const MAX_RELISTEN_ATTEMPTS = 50;

/**
 * Opens a proxy on a loopback port. Connections are distributed over the targets in turn, skipping
 * targets that do not accept. The faults follow Shopify's toxiproxy, as far as a Node process can
 * inject them.
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
  let nextTarget = 0;
  let server = await listen();

  function listen(): Promise<Server> {
    // Half-open connections are kept: a client that has sent everything may still wait for the
    // reply.
    const listener = createServer({ allowHalfOpen: true }, accept);
    return new Promise((resolve, reject) => {
      listener.once('error', reject);
      listener.listen({ port, host: '127.0.0.1' }, () => resolve(listener));
    });
  }

  function accept(client: Socket): void {
    const connection = joinSockets(client, (reached) => {
      const first = nextTarget++;
      reach(first, 0, reached);
    });
    open.add(connection);
    void connection.closed.then(() => open.delete(connection));
    connection.setFault(fault);
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

  const resetAll = (): void => {
    for (const connection of open) connection.reset();
  };
  const stopListening = (): Promise<void> =>
    new Promise((closed) => (server.listening ? server.close(() => closed()) : closed()));

  return {
    name,
    port: (server.address() as AddressInfo).port,
    async setFault(next) {
      fault = next;
      if (next?.kind === 'refuse') {
        const closed = stopListening();
        resetAll();
        await closed;
        return;
      }
      for (const connection of open) connection.setFault(next);
      for (let attempt = 1; !server.listening; attempt++) {
        try {
          server = await listen();
        } catch (error) {
          // An outgoing connection may use the port for a moment.
          if (attempt === MAX_RELISTEN_ATTEMPTS) throw error;
          await sleep(100);
        }
      }
    },
    resetConnections: resetAll,
    abandonConnections() {
      for (const connection of open) connection.abandon();
    },
    async close() {
      const closed = stopListening();
      resetAll();
      await closed;
    },
  };
}

interface Connection {
  readonly closed: Promise<void>;
  setFault(fault: LinkFault | null): void;
  abandon(): void;
  reset(): void;
}

/**
 * Connects a client to the target that `reach` finds. During a black hole it does not connect to a
 * target.
 */
function joinSockets(client: Socket, reach: (reached: (target: Socket | null) => void) => void): Connection {
  let target: Socket | undefined;
  let to: Pipe | undefined;
  let back: Pipe | undefined;
  let fault: LinkFault | null = null;
  let isConnecting = false;
  let isAbandoned = false;
  let isClosed = false;
  let finish = (): void => undefined;
  const closed = new Promise<void>((resolve) => (finish = resolve));

  const reset = (): void => {
    if (isClosed) return;
    isClosed = true;
    to?.stop();
    back?.stop();
    client.resetAndDestroy();
    target?.resetAndDestroy();
    finish();
  };
  const closeIfDone = (): void => {
    if (isClosed || !client.destroyed || (target !== undefined && !target.destroyed)) return;
    isClosed = true;
    finish();
  };
  const connectToTarget = (): void => {
    if (isConnecting || isClosed || isBlackHole(fault, 'to')) return;
    isConnecting = true;
    reach((reached) => {
      if (reached === null || isClosed) {
        reached?.destroy();
        return reset();
      }
      target = reached;
      reached.on('error', reset);
      reached.once('close', closeIfDone);
      to = pipe(client, reached);
      back = pipe(reached, client);
      apply();
    });
  };
  const apply = (): void => {
    to?.setFault(delayMsOf(fault, 'to'), isBlackHole(fault, 'to'));
    back?.setFault(delayMsOf(fault, 'back'), isBlackHole(fault, 'back'));
  };
  client.pause();
  client.on('error', reset);
  client.once('close', () => {
    // Closed without an error. Without a target there is nothing to forward the end to.
    if (target === undefined) reset();
    closeIfDone();
  });
  return {
    closed,
    setFault(next) {
      fault = isAbandoned ? fault : next;
      connectToTarget();
      apply();
    },
    abandon() {
      isAbandoned = true;
      fault = { kind: 'black-hole' };
      apply();
    },
    reset,
  };
}

const affects = (fault: { direction?: Direction }, direction: 'to' | 'back'): boolean =>
  (fault.direction ?? 'both') === 'both' || fault.direction === direction;
const isBlackHole = (fault: LinkFault | null, direction: 'to' | 'back'): boolean =>
  fault?.kind === 'black-hole' && affects(fault, direction);
const delayMsOf = (fault: LinkFault | null, direction: 'to' | 'back'): number =>
  fault?.kind === 'latency' && affects(fault, direction) ? fault.ms : 0;

interface Pipe {
  setFault(delayMs: number, isSilent: boolean): void;
  stop(): void;
}

/** Forwards data from one socket to another in order, with an optional delay or pause. */
function pipe(from: Socket, into: Socket): Pipe {
  /** Data not yet delivered, oldest first; null is the end of the stream. */
  const inFlight: { at: number; chunk: Buffer | null }[] = [];
  let bytes = 0;
  let delayMs = 0;
  let isSilent = false;
  let timer: NodeJS.Timeout | undefined;

  const flow = (): void => {
    if (isSilent || bytes > HIGH_WATER_BYTES || into.writableNeedDrain) from.pause();
    else from.resume();
  };
  const deliver = (): void => {
    clearTimeout(timer);
    timer = undefined;
    const now = performance.now();
    for (let next = inFlight[0]; next !== undefined; next = inFlight[0]) {
      if (isSilent || into.writableNeedDrain) break;
      if (next.at > now) {
        timer = setTimeout(deliver, next.at - now);
        break;
      }
      inFlight.shift();
      if (next.chunk === null) into.end();
      else {
        bytes -= next.chunk.length;
        into.write(next.chunk);
      }
    }
    flow();
  };
  const take = (chunk: Buffer | null): void => {
    // Data sent after the fault has ended must not overtake earlier data.
    const at = Math.max(performance.now() + delayMs, inFlight.at(-1)?.at ?? 0);
    inFlight.push({ at: delayMs === 0 && inFlight.length === 0 ? 0 : at, chunk });
    bytes += chunk?.length ?? 0;
    deliver();
  };
  from.on('data', take);
  from.once('end', () => take(null));
  into.on('drain', deliver);
  return {
    setFault(nextDelayMs, nextSilent) {
      delayMs = nextDelayMs;
      isSilent = nextSilent;
      deliver();
    },
    stop: () => clearTimeout(timer),
  };
}
