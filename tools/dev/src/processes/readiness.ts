import { connect } from 'node:net';
import type { Child } from './child.ts';

const POLL_MS = 20;
const WITHIN_MS = 30_000;

/** What "ready" means for a child: a line it prints, an address that answers 2xx, or a port that accepts. */
export type Readiness = { line: RegExp } | { http: string } | { port: number };

/** Waits until `child` is ready; fails with its last output when it ends first or takes too long. */
export async function waitUntilReady(child: Child, readiness: Readiness, withinMs = WITHIN_MS): Promise<void> {
  const giveUp = AbortSignal.timeout(withinMs);
  const failure = (why: string): Error => {
    const where = child.logFile ? ` (whole log: ${child.logFile})` : '';
    return new Error(`${child.name} ${why}${where}. Its last output:\n${child.tail()}`);
  };
  const died = child.ended.then(({ code, signal }) => {
    throw failure(`ended before it was ready (${signal ?? `exit code ${code}`})`);
  });
  const late = new Promise<never>((_, reject) => {
    giveUp.addEventListener('abort', () => reject(failure(`was not ready within ${withinMs / 1000} s`)), {
      once: true,
    });
  });
  const settled = new AbortController();
  try {
    await Promise.race([becomesReady(child, readiness, AbortSignal.any([giveUp, settled.signal])), died, late]);
  } finally {
    settled.abort();
    // The losers of the race stay pending or reject later; nobody else listens to them.
    died.catch(() => undefined);
    late.catch(() => undefined);
  }
}

async function becomesReady(child: Child, readiness: Readiness, stop: AbortSignal): Promise<void> {
  if ('line' in readiness) return seesLine(child, readiness.line, stop);
  const ready = 'http' in readiness ? () => answers(readiness.http) : () => accepts(readiness.port);
  while (!stop.aborted && child.running) {
    if (await ready()) return;
    await new Promise((resume) => setTimeout(resume, POLL_MS));
  }
  return new Promise(() => undefined);
}

function seesLine(child: Child, pattern: RegExp, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (pattern.test(child.tail())) return resolve();
    const forget = child.onLine((line) => {
      if (!pattern.test(line)) return;
      forget();
      resolve();
    });
    stop.addEventListener('abort', forget, { once: true });
  });
}

async function answers(url: string): Promise<boolean> {
  try {
    const reply = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    await reply.body?.cancel();
    return reply.ok;
  } catch {
    return false;
  }
}

/** Tells whether something accepts connections on a loopback port. */
function accepts(port: number): Promise<boolean> {
  return new Promise((answer) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      answer(true);
    });
    socket.once('error', () => answer(false));
  });
}
