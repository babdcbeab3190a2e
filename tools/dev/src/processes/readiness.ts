import { connect } from 'node:net';
import type { Child } from './child.ts';

const POLL_MS = 20;
const READY_TIMEOUT_MS = 30_000;

/**
 * The sign of readiness of a child: a line of output, a URL that answers 2xx, a port that accepts
 * connections, or a probe that succeeds.
 */
export type Readiness = { line: RegExp } | { http: string } | { port: number } | { probe: () => Promise<boolean> };

/**
 * Waits until `child` is ready. Rejects with its last output if it ends first or takes longer than
 * `withinMs`.
 */
export async function waitUntilReady(child: Child, readiness: Readiness, withinMs = READY_TIMEOUT_MS): Promise<void> {
  const timeout = AbortSignal.timeout(withinMs);
  const failure = (what: string): Error => {
    const where = child.logFile ? ` (full log: ${child.logFile})` : '';
    return new Error(`${child.name} ${what}${where}. Its last output:\n${child.tail()}`);
  };
  const endedEarly = child.ended.then(({ code, signal }) => {
    throw failure(`ended before it was ready (${signal ?? `exit code ${code}`})`);
  });
  const timedOut = new Promise<never>((_, reject) => {
    timeout.addEventListener('abort', () => reject(failure(`was not ready within ${withinMs / 1000} s`)), {
      once: true,
    });
  });
  const settled = new AbortController();
  try {
    await Promise.race([
      pollReadiness(child, readiness, AbortSignal.any([timeout, settled.signal])),
      endedEarly,
      timedOut,
    ]);
  } finally {
    settled.abort();
    // The losers of the race can reject later, without any other handler.
    endedEarly.catch(() => undefined);
    timedOut.catch(() => undefined);
  }
}

async function pollReadiness(child: Child, readiness: Readiness, stop: AbortSignal): Promise<void> {
  if ('line' in readiness) return waitForLine(child, readiness.line, stop);
  const isReady = createProbe(readiness);
  while (!stop.aborted && child.isRunning) {
    if (await isReady()) return;
    await new Promise((resume) => setTimeout(resume, POLL_MS));
  }
  return new Promise(() => undefined);
}

function createProbe(readiness: Exclude<Readiness, { line: RegExp }>): () => Promise<boolean> {
  if ('probe' in readiness) return readiness.probe;
  return 'http' in readiness ? () => respondsOk(readiness.http) : () => acceptsConnections(readiness.port);
}

function waitForLine(child: Child, pattern: RegExp, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (pattern.test(child.tail())) return resolve();
    const stopListening = child.onLine((line) => {
      if (!pattern.test(line)) return;
      stopListening();
      resolve();
    });
    stop.addEventListener('abort', stopListening, { once: true });
  });
}

async function respondsOk(url: string): Promise<boolean> {
  try {
    const reply = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    await reply.body?.cancel();
    return reply.ok;
  } catch {
    return false;
  }
}

/** Whether a loopback port accepts connections. */
function acceptsConnections(port: number): Promise<boolean> {
  return new Promise((answer) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      answer(true);
    });
    socket.once('error', () => answer(false));
  });
}
