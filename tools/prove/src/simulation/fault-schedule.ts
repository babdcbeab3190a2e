import type { FaultEpisode } from './oracle/bounds.ts';
import { createRandom, type Random } from './runtime/random.ts';
import { GATEWAY_COUNT, MAX_GATEWAY_LOSS_MS } from './provider/voice.ts';
import { PROCESSES, type System } from './system.ts';

interface Fault {
  readonly name: string;
  /** How often it is drawn, relative to the other faults. */
  readonly weight: number;
  /** Only our own gateways have the fault. */
  readonly isSelfHosted?: boolean;
  /** Injects the fault, schedules its end, and returns its duration in milliseconds. */
  readonly inject: (system: System, random: Random) => number;
}

const DAY_MS = 86_400_000;

const restartAfter = (system: System, name: string, afterMs: number): void => {
  system.scheduler.after(afterMs, () => system.processes.get(name)!.start());
};

/** Every REST request fails. `silent`: the provider does not answer. */
function createRestOutage(mode: '500' | '503' | '429' | 'silent', weight: number): Fault {
  return {
    name: `rest-${mode}`,
    weight,
    inject: ({ faultProfile, scheduler }, random) => {
      const ms = random.between(3_000, random.bool(0.2) ? 90_000 : 20_000);
      faultProfile.restMode = mode;
      scheduler.after(ms, () => {
        if (faultProfile.restMode === mode) faultProfile.restMode = 'normal';
      });
      return ms;
    },
  };
}

const FAULTS: readonly Fault[] = [
  {
    name: 'kill',
    weight: 6,
    inject: (system, random) => {
      const name = random.pick(PROCESSES);
      const ms = random.between(500, 5_000);
      system.processes.get(name)!.kill();
      restartAfter(system, name, ms);
      return ms;
    },
  },
  {
    name: 'pause',
    weight: 3,
    inject: (system, random) => {
      const process = system.processes.get(random.pick(PROCESSES))!;
      const { life } = process;
      const ms = random.between(1_000, 30_000);
      system.pause(process);
      system.scheduler.after(ms, () => {
        if (process.life === life) system.resume(process);
      });
      return ms;
    },
  },
  {
    name: 'all-killed',
    weight: 1,
    inject: (system, random) => {
      const ms = random.between(2_000, 60_000);
      for (const name of PROCESSES) {
        system.processes.get(name)!.kill();
        restartAfter(system, name, ms + random.between(0, 3_000));
      }
      return ms + 3_000;
    },
  },
  {
    name: 'redis-flush',
    weight: 3,
    inject: (system) => {
      system.queue.flush();
      return 0;
    },
  },
  {
    name: 'redis-down',
    weight: 2,
    inject: (system, random) => {
      const ms = random.between(500, random.bool(0.2) ? 60_000 : 10_000);
      if (random.bool(0.3)) system.queue.flush();
      system.queue.isDown = true;
      system.scheduler.after(ms, () => system.queue.reconnect());
      return ms;
    },
  },
  {
    name: 'redis-full',
    weight: 2,
    inject: ({ queue, scheduler }, random) => {
      const ms = random.between(500, random.bool(0.2) ? 60_000 : 10_000);
      queue.isFull = true;
      scheduler.after(ms, () => queue.freeMemory());
      return ms;
    },
  },
  {
    name: 'postgres-restart',
    weight: 3,
    inject: (system, random) => {
      const ms = random.bool(0.8) ? random.between(0, 2_000) : random.between(5_000, 60_000);
      system.database.breakConnections();
      system.database.isDown = true;
      system.scheduler.after(ms, () => (system.database.isDown = false));
      return ms;
    },
  },
  {
    name: 'postgres-loses-commits',
    weight: 0.5,
    inject: (system, random) => {
      const ms = random.between(1_000, 8_000);
      system.database.failOver(random.between(50, 3_000));
      system.database.isDown = true;
      system.scheduler.after(ms, () => (system.database.isDown = false));
      return ms;
    },
  },
  createRestOutage('500', 1.5),
  createRestOutage('503', 1),
  createRestOutage('429', 1),
  createRestOutage('silent', 1.5),
  {
    name: 'webhooks-lost',
    weight: 1.5,
    inject: ({ faultProfile, scheduler }, random) => {
      const ms = random.between(5_000, 90_000);
      faultProfile.webhookLossProbability = random.bool(0.4) ? 1 : random.between(0.2, 0.9);
      scheduler.after(ms, () => (faultProfile.webhookLossProbability = 0));
      return ms;
    },
  },
  {
    name: 'webhooks-late',
    weight: 1.5,
    inject: ({ faultProfile, scheduler }, random) => {
      const ms = random.between(10_000, 90_000);
      faultProfile.maxWebhookDelayMs = random.between(2_000, 40_000);
      scheduler.after(ms, () => (faultProfile.maxWebhookDelayMs = 0));
      return ms + 40_000;
    },
  },
  {
    name: 'gateway-lost',
    weight: 3,
    isSelfHosted: true,
    inject: ({ voice, video }, random) => {
      const gateway = random.int(GATEWAY_COUNT);
      // A gateway that is killed reports nothing. One that loses its Janus does.
      const isReported = random.bool(0.5);
      voice.loseGateway(gateway, isReported);
      video.loseGateway(gateway, isReported);
      return MAX_GATEWAY_LOSS_MS;
    },
  },
  {
    // Only the deadlines of the calls end them meanwhile.
    name: 'all-down',
    weight: 0.5,
    isSelfHosted: true,
    inject: (system, random) => {
      const ms = random.between(90_000, 300_000);
      for (const name of PROCESSES) {
        system.processes.get(name)!.kill();
        restartAfter(system, name, ms);
      }
      return ms;
    },
  },
  {
    name: 'clock-skew',
    weight: 1,
    inject: (system, random) => {
      const name = random.pick(PROCESSES);
      const ms = random.between(30_000, 300_000);
      system.setClockSkew(name, random.between(-300_000, 300_000));
      system.scheduler.after(ms, () => system.setClockSkew(name, 0));
      return ms;
    },
  },
];

/**
 * Injects faults at random times, sometimes several at once, until it is stopped. Records each
 * episode.
 */
export class FaultSchedule {
  readonly episodes: FaultEpisode[] = [];
  #isStopped = false;
  readonly #system: System;
  readonly #random: Random;
  readonly #faults: readonly Fault[];
  readonly #totalWeight: number;

  /** @param names the faults to draw from; default: all */
  constructor(system: System, names?: readonly string[]) {
    this.#system = system;
    this.#random = createRandom(system.options.seed, 'fault schedule');
    const possible = FAULTS.filter((fault) => !fault.isSelfHosted || system.options.isSelfHosted);
    this.#faults = names === undefined ? possible : possible.filter(({ name }) => names.includes(name));
    this.#totalWeight = this.#faults.reduce((sum, { weight }) => sum + weight, 0);
  }

  /**
   * Starts to inject faults.
   * @param gapMs the mean time between faults
   * @param openMs the last part of each day, in which there are meetings; faults are injected then
   *   only
   */
  start(gapMs: number, openMs: number): void {
    const { scheduler } = this.#system;
    const startedAt = scheduler.now;
    const next = (): void => {
      scheduler.after(this.#random.exponential(gapMs), () => {
        if (this.#isStopped) return;
        const time = (scheduler.now - startedAt) % DAY_MS;
        if (time < DAY_MS - openMs && time > 3_600_000) {
          scheduler.at(scheduler.now - time + DAY_MS - openMs, next);
          return;
        }
        const count = this.#random.bool(0.15) ? 2 + this.#random.int(3) : 1;
        for (let i = 0; i < count; i++) this.#inject(this.#drawFault());
        next();
      });
    };
    next();
  }

  #inject(fault: Fault): void {
    const { scheduler, faultProfile } = this.#system;
    const from = scheduler.now;
    const ms = fault.inject(this.#system, this.#random);
    faultProfile.count(fault.name);
    scheduler.note(fault.name);
    this.episodes.push({ fault: fault.name, from, to: from + ms });
  }

  /** Ends all faults now. */
  stop(): void {
    this.#isStopped = true;
    const { faultProfile, queue, database, processes, scheduler } = this.#system;
    faultProfile.isEnabled = false;
    faultProfile.restMode = 'normal';
    faultProfile.webhookLossProbability = 0;
    faultProfile.maxWebhookDelayMs = 0;
    if (queue.isDown) queue.reconnect();
    if (queue.isFull) queue.freeMemory();
    database.isDown = false;
    for (const process of processes.values()) {
      if (process.isPaused) this.#system.resume(process);
      process.start();
      this.#system.setClockSkew(process.name, 0);
    }
    for (const [i, episode] of this.episodes.entries())
      if (episode.to > scheduler.now) this.episodes[i] = { ...episode, to: scheduler.now };
  }

  #drawFault(): Fault {
    let draw = this.#random.next() * this.#totalWeight;
    for (const fault of this.#faults) if ((draw -= fault.weight) < 0) return fault;
    return this.#faults.at(-1)!;
  }
}
