import {
  jobBackoffMs,
  CATALOGUE,
  LANES,
  WORKER_LOCK,
  type JobName,
  type JobPayload,
  type Lane,
} from '@partyline/jobs/catalogue';
import type { Jobs } from '@partyline/jobs/enqueue';
import type { RetryLater, Handlers } from '@partyline/jobs/work';
import type { Life } from './process.ts';
import type { Scheduler } from './scheduler.ts';

interface Job {
  readonly id: string;
  readonly name: JobName;
  readonly lane: Lane;
  readonly payload: object;
  attempts: number;
  state: 'delayed' | 'waiting' | 'active';
  /** Distinguishes a run from an earlier one of the same job that lost its lock. */
  run: number;
  /** Counts the delays. A timer of an earlier delay has no effect. */
  delayCount: number;
  /** When it runs, while its state is `delayed`. */
  dueAt: number;
  worker: Life | null;
}

interface Worker {
  readonly life: Life;
  readonly handlers: Handlers;
  readonly busy: Record<Lane, number>;
}

const CONCURRENCY: Record<Lane, number> = { conference: 8, dial: 24, 'hang-up': 16 };
/**
 * A killed worker's job runs again after this long (measured: 6.2 s).
 */
const STALLED_AFTER_MS = WORKER_LOCK.lockDuration + 200;
const connectionClosed = (): Error => new Error('Connection is closed.');
const outOfMemory = (): Error => new Error("OOM command not allowed when used memory > 'maxmemory'.");

/**
 * BullMQ as measured: at-least-once execution, delays, and one job per id. A killed or paused
 * worker loses its lock after about six seconds. A flush deletes every job. While Redis is down,
 * every command fails. While it is full, every command that needs memory fails: to add, take,
 * finish or delay a job, and to renew a lock.
 */
export class SimQueue {
  isDown = false;
  isFull = false;
  flushCount = 0;
  readonly #scheduler: Scheduler;
  #jobs = new Map<string, Job>();
  readonly #waiting: Record<Lane, Job[]> = { conference: [], dial: [], 'hang-up': [] };
  #workers: Worker[] = [];
  #idCount = 0;
  #nextWorker = 0;
  /** By session: when its hang-up job was lost, and armed again. Only sessions that lost one. */
  readonly #losses = new Map<string, { readonly at: number; readonly isLost: boolean }[]>();
  readonly #latency: () => number;

  constructor(scheduler: Scheduler, latency: () => number) {
    this.#scheduler = scheduler;
    this.#latency = latency;
  }

  /** FLUSHALL. Active jobs run on, but their outcome finds no job. */
  flush(): void {
    this.flushCount += 1;
    for (const { name, payload } of this.#jobs.values())
      if (name === 'hang-up-session') this.#recordLoss((payload as JobPayload<'hang-up-session'>).sessionId);
    this.#jobs = new Map();
    for (const lane of LANES) this.#waiting[lane] = [];
  }

  #recordLoss(sessionId: string): void {
    const losses = this.#losses.get(sessionId) ?? [];
    this.#losses.set(sessionId, losses);
    losses.push({ at: this.#scheduler.now, isLost: true });
  }

  /** Whether the hang-up job of a session was lost by this time, and not armed again since. */
  isHangUpLost(sessionId: string, at: number): boolean {
    return this.#losses.get(sessionId)?.findLast((loss) => loss.at <= at)?.isLost ?? false;
  }

  /** Redis is up again. */
  reconnect(): void {
    this.isDown = false;
    this.#resumeJobs();
  }

  /** Redis has memory again. */
  freeMemory(): void {
    this.isFull = false;
    this.#resumeJobs();
  }

  get #acceptsJobs(): boolean {
    return !this.isDown && !this.isFull;
  }

  /** Active jobs whose lock expired meanwhile run again on a free worker. */
  #resumeJobs(): void {
    for (const job of this.#jobs.values()) if (job.state === 'active') this.#watchLock(job);
    for (const lane of LANES) this.#dispatch(lane);
  }

  /** The producer of one process. */
  createJobs(life: Life): Jobs {
    const send = (label: string, act: () => void, onRejected?: () => void): Promise<void> =>
      life.seam(`queue ${label}`, () => {
        if (!this.#acceptsJobs) {
          onRejected?.();
          return { ms: 1, error: this.isDown ? connectionClosed() : outOfMemory() };
        }
        act();
        return { ms: this.#latency(), value: undefined };
      });
    return {
      enqueue: (name, payload, delayMs = 0) =>
        send(`enqueue ${name}`, () => this.#add(name, payload, `${(this.#idCount += 1)}`, delayMs)),
      armHangUp: (session, delayMs) =>
        send(
          'arm',
          () => {
            const delay = Math.max(0, Math.ceil(delayMs));
            // The second id is for an end that is decided while the first job is active.
            const ids = [`armed-${session.sessionId}`, `armed-again-${session.sessionId}`];
            const id = ids.find((each) => this.#jobs.get(each)?.state !== 'active') ?? `${(this.#idCount += 1)}`;
            const armed = this.#jobs.get(id);
            if (armed === undefined) this.#add('hang-up-session', session, id, delay);
            else if (armed.state === 'delayed' && armed.dueAt > this.#scheduler.now + delay) this.#delay(armed, delay);
            this.#losses.get(session.sessionId)?.push({ at: this.#scheduler.now, isLost: false });
          },
          () => this.#recordLoss(session.sessionId),
        ),
      assertReachable: () => send('ping', () => undefined),
    };
  }

  addWorker(life: Life, handlers: Handlers): void {
    this.#workers.push({ life, handlers, busy: { conference: 0, dial: 0, 'hang-up': 0 } });
    for (const lane of LANES) this.#dispatch(lane);
  }

  /** The worker was killed or paused. Its locks expire unless it resumes in time. */
  expireLocks(life: Life): void {
    if (!life.isAlive) this.#workers = this.#workers.filter((worker) => worker.life !== life);
    for (const job of this.#jobs.values()) if (job.state === 'active') this.#watchLock(job);
  }

  /** A paused worker has resumed and accepts jobs again. */
  resume(): void {
    for (const lane of LANES) this.#dispatch(lane);
  }

  #add(name: JobName, payload: object, id: string, delayMs: number): void {
    if (this.#jobs.has(id)) return;
    const job: Job = {
      id,
      name,
      lane: CATALOGUE[name].lane,
      payload,
      attempts: 0,
      state: 'delayed',
      run: 0,
      delayCount: 0,
      dueAt: 0,
      worker: null,
    };
    this.#jobs.set(id, job);
    if (delayMs > 0) this.#delay(job, delayMs);
    else this.#enqueue(job);
  }

  #delay(job: Job, ms: number): void {
    job.state = 'delayed';
    job.dueAt = this.#scheduler.now + ms;
    const delay = (job.delayCount += 1);
    this.#scheduler.after(ms, () => {
      if (this.#jobs.get(job.id) === job && job.state === 'delayed' && job.delayCount === delay) this.#enqueue(job);
    });
  }

  #enqueue(job: Job): void {
    job.state = 'waiting';
    this.#waiting[job.lane].push(job);
    this.#dispatch(job.lane);
  }

  #dispatch(lane: Lane): void {
    if (!this.#acceptsJobs) return;
    const waiting = this.#waiting[lane];
    while (waiting.length > 0) {
      const worker = this.#freeWorker(lane);
      if (worker === undefined) return;
      const job = waiting.shift()!;
      if (this.#jobs.get(job.id) !== job || job.state !== 'waiting') continue;
      job.state = 'active';
      job.run += 1;
      job.worker = worker.life;
      const { run } = job;
      worker.busy[lane] += 1;
      this.#scheduler.after(this.#latency(), () => worker.life.deliver(() => void this.#handle(worker, job, run)));
    }
  }

  #freeWorker(lane: Lane): Worker | undefined {
    for (let i = 0; i < this.#workers.length; i++) {
      const worker = this.#workers[(this.#nextWorker + i) % this.#workers.length]!;
      if (!worker.life.isRunning || worker.busy[lane] >= CONCURRENCY[lane]) continue;
      this.#nextWorker += 1;
      return worker;
    }
    return undefined;
  }

  async #handle(worker: Worker, job: Job, run: number): Promise<void> {
    let outcome: { retry: RetryLater | void } | { error: unknown };
    try {
      const handle = worker.handlers[job.name] as (payload: object) => Promise<RetryLater | void>;
      outcome = { retry: await handle(job.payload) };
    } catch (error) {
      outcome = { error };
    }
    await worker.life.seam('queue settle', () => {
      this.#settle(job, run, outcome);
      return { ms: 1, value: undefined };
    });
    worker.busy[job.lane] -= 1;
    this.#dispatch(job.lane);
  }

  #settle(job: Job, run: number, outcome: { retry: RetryLater | void } | { error: unknown }): void {
    // A worker that lost its job, its lock or Redis writes nothing.
    if (!this.#acceptsJobs || this.#jobs.get(job.id) !== job || job.run !== run || job.state !== 'active') return;
    if ('error' in outcome) {
      job.attempts += 1;
      if (job.attempts >= CATALOGUE[job.name].attempts) this.#jobs.delete(job.id);
      else this.#delay(job, jobBackoffMs(job.attempts));
    } else if (outcome.retry) this.#delay(job, outcome.retry.retryAfterMs);
    else this.#jobs.delete(job.id);
  }

  /** Enqueues an active job again when its lock expires without a renewal. */
  #watchLock(job: Job): void {
    const { run } = job;
    this.#scheduler.after(STALLED_AFTER_MS, () => {
      if (this.#jobs.get(job.id) !== job || job.state !== 'active' || job.run !== run || !this.#acceptsJobs) return;
      // A running worker has renewed its lock.
      if (job.worker?.isRunning) return;
      this.#enqueue(job);
    });
  }
}
