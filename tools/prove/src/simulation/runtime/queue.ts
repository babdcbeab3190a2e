import { jobBackoffMs, CATALOGUE, LANES, WORKER_LOCK, type JobName, type Lane } from '@partyline/jobs/catalogue';
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
  /** Told apart from an earlier run of the same job, whose lock was lost. */
  run: number;
  /** Counts the delays, so that one that was moved does not come twice. */
  delay: number;
  /** When it is to run, while it is delayed. */
  dueAt: number;
  holder: Life | null;
}

interface Worker {
  readonly life: Life;
  readonly handlers: Handlers;
  readonly busy: Record<Lane, number>;
}

const CONCURRENCY: Record<Lane, number> = { conference: 8, dial: 24, 'hang-up': 16 };
/** A killed worker's job runs again after this long (measured: 6.2 s, reliability.md §0.1). */
const STALLED_AFTER_MS = WORKER_LOCK.lockDuration + 200;
const connectionClosed = (): Error => new Error('Connection is closed.');

/**
 * BullMQ as it was measured: at least once, delays, one job per id while it is kept, a lock that a killed or stopped worker loses after
 * about six seconds, everything gone with a flush, an error for every command while Redis is away.
 */
export class SimQueue {
  isDown = false;
  /** How many jobs flushes took, and how many flushes there were. */
  lost = 0;
  flushCount = 0;
  readonly #scheduler: Scheduler;
  #jobs = new Map<string, Job>();
  readonly #waiting: Record<Lane, Job[]> = { conference: [], dial: [], 'hang-up': [] };
  #workers: Worker[] = [];
  #ids = 0;
  #turn = 0;
  readonly #latency: () => number;

  constructor(scheduler: Scheduler, latency: () => number) {
    this.#scheduler = scheduler;
    this.#latency = latency;
  }

  /** FLUSHALL: what runs goes on running, and its outcome finds nothing. */
  flush(): void {
    this.lost += this.#jobs.size;
    this.flushCount += 1;
    this.#jobs = new Map();
    for (const lane of LANES) this.#waiting[lane] = [];
  }

  /** Redis is back: locks that could not be renewed are taken up again by whoever has room. */
  reconnect(): void {
    this.isDown = false;
    for (const job of this.#jobs.values()) if (job.state === 'active') this.#watch(job);
    for (const lane of LANES) this.#dispatch(lane);
  }

  /** The sending side, for one process. */
  createJobs(life: Life): Jobs {
    const send = (label: string, act: () => void): Promise<void> =>
      life.seam(`queue ${label}`, () => {
        if (this.isDown) return { ms: 1, error: connectionClosed() };
        act();
        return { ms: this.#latency(), value: undefined };
      });
    return {
      enqueue: (name, payload, delayMs = 0) =>
        send(`enqueue ${name}`, () => this.#add(name, payload, `${(this.#ids += 1)}`, delayMs)),
      armHangUp: (session, delayMs) =>
        send('arm', () => {
          const delay = Math.max(0, Math.ceil(delayMs));
          const ids = [`armed-${session.sessionId}`, `armed-again-${session.sessionId}`];
          const id = ids.find((each) => this.#jobs.get(each)?.state !== 'active') ?? `${(this.#ids += 1)}`;
          const armed = this.#jobs.get(id);
          if (armed === undefined) this.#add('hang-up-session', session, id, delay);
          else if (armed.state === 'delayed' && armed.dueAt > this.#scheduler.now + delay) this.#delay(armed, delay);
        }),
    };
  }

  addWorker(life: Life, handlers: Handlers): void {
    this.#workers.push({ life, handlers, busy: { conference: 0, dial: 0, 'hang-up': 0 } });
    for (const lane of LANES) this.#dispatch(lane);
  }

  /** A worker is dead or stopped: its locks run out. */
  expireLocks(life: Life): void {
    if (!life.isAlive) this.#workers = this.#workers.filter((worker) => worker.life !== life);
    for (const job of this.#jobs.values()) if (job.state === 'active') this.#watch(job);
  }

  /** A stopped worker goes on: it takes jobs again. */
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
      delay: 0,
      dueAt: 0,
      holder: null,
    };
    this.#jobs.set(id, job);
    if (delayMs > 0) this.#delay(job, delayMs);
    else this.#wait(job);
  }

  #delay(job: Job, ms: number): void {
    job.state = 'delayed';
    job.dueAt = this.#scheduler.now + ms;
    const turn = (job.delay += 1);
    this.#scheduler.after(ms, () => {
      if (this.#jobs.get(job.id) === job && job.state === 'delayed' && job.delay === turn) this.#wait(job);
    });
  }

  #wait(job: Job): void {
    job.state = 'waiting';
    this.#waiting[job.lane].push(job);
    this.#dispatch(job.lane);
  }

  #dispatch(lane: Lane): void {
    if (this.isDown) return;
    const waiting = this.#waiting[lane];
    while (waiting.length > 0) {
      const worker = this.#freeWorker(lane);
      if (worker === undefined) return;
      const job = waiting.shift()!;
      if (this.#jobs.get(job.id) !== job || job.state !== 'waiting') continue;
      job.state = 'active';
      job.run += 1;
      job.holder = worker.life;
      const { run } = job;
      worker.busy[lane] += 1;
      this.#scheduler.after(this.#latency(), () => worker.life.deliver(() => void this.#handle(worker, job, run)));
    }
  }

  #freeWorker(lane: Lane): Worker | undefined {
    for (let i = 0; i < this.#workers.length; i++) {
      const worker = this.#workers[(this.#turn + i) % this.#workers.length]!;
      if (!worker.life.isRunning || worker.busy[lane] >= CONCURRENCY[lane]) continue;
      this.#turn += 1;
      return worker;
    }
    return undefined;
  }

  async #handle(worker: Worker, job: Job, run: number): Promise<void> {
    let outcome: { again: RetryLater | void } | { error: unknown };
    try {
      const handle = worker.handlers[job.name] as (payload: object) => Promise<RetryLater | void>;
      outcome = { again: await handle(job.payload) };
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

  #settle(job: Job, run: number, outcome: { again: RetryLater | void } | { error: unknown }): void {
    // Flushed, taken over by another worker, or Redis is away: then nothing is written, and the lock runs out.
    if (this.isDown || this.#jobs.get(job.id) !== job || job.run !== run || job.state !== 'active') return;
    if ('error' in outcome) {
      job.attempts += 1;
      if (job.attempts >= CATALOGUE[job.name].attempts) this.#jobs.delete(job.id);
      else this.#delay(job, jobBackoffMs(job.attempts));
    } else if (outcome.again) this.#delay(job, outcome.again.retryAfterMs);
    else this.#jobs.delete(job.id);
  }

  /** Puts a job back when, a lock's time from now, nobody who runs it has been heard of. */
  #watch(job: Job): void {
    const { run } = job;
    this.#scheduler.after(STALLED_AFTER_MS, () => {
      if (this.#jobs.get(job.id) !== job || job.state !== 'active' || job.run !== run || this.isDown) return;
      // A worker that lives and was only stopped for a moment has renewed its lock since.
      if (job.holder?.isRunning) return;
      this.#wait(job);
    });
  }
}
