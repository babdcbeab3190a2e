import { submitPin } from '@partyline/conference/callers/submit-pin';
import { answerCall, answerDialledLeg } from '@partyline/conference/callers/answer-call';
import { applyLegEvent } from '@partyline/conference/legs/apply-leg-event';
import { applyMediaEvent } from '@partyline/conference/legs/apply-media-event';
import { createRpcHandlers } from '@partyline/conference/provider-rpc/handlers';
import type { ProviderRpc } from '@partyline/conference/providers/rpc-messages';
import type { Deps } from '@partyline/conference/deps';
import { rateLimitProviders } from '@partyline/conference/providers/rate-limit-providers';
import { platformProvidersOnly } from '@partyline/conference/providers/platform-account';
import type { PinVault } from '@partyline/conference/pins/pin-vault';
import { createWebhookUrls } from '@partyline/conference/providers/webhook-urls';
import { VerdictError } from '@partyline/domain/verdict';
import type { CallPlan } from '@partyline/provider-contract/voice-provider';
import { createJobHandlers } from './job-handlers.ts';
import { DEFAULT_ENDPOINT } from './database/statements-deliveries.ts';
import { DatabaseServer, openTwinStore } from './database/twin.ts';
import type { Mutation } from './mutation.ts';
import { SimProcess, type Life } from './runtime/process.ts';
import { SimQueue } from './runtime/queue.ts';
import { createIdGenerator, createRandom, type Random } from './runtime/random.ts';
import { ENDPOINT_SECRET, EndpointReceiver } from './endpoint-receiver.ts';
import { Scheduler } from './runtime/scheduler.ts';
import { startSweeps, type Sweeps } from './sweeps.ts';
import { WebhookSender, type WebhookGateway, type ProviderWebhook, type WebhookOutcome } from './provider/webhooks.ts';
import { Ledger } from './provider/ledger.ts';
import { RestApi } from './provider/rest-api.ts';
import { SimVideo } from './provider/video.ts';
import { SimVoice } from './provider/voice.ts';
import { FaultProfile, type FaultProbabilities } from './provider/fault-profile.ts';

/** The numbers that callers dial. */
export const NUMBER = '+442079460000';
export const TENANTS = ['ten_a', 'ten_b', 'ten_c', 'ten_d', 'ten_e'] as const;
/** What a process is called and what it does; two of each that matters. */
export const PROCESSES = [
  'api',
  'webhooks-1',
  'webhooks-2',
  'orchestrator-1',
  'orchestrator-2',
  'cleanup-1',
  'cleanup-2',
] as const;

interface SystemOptions {
  readonly seed: number;
  /** Which sweeps run: all, none (a queue only), or the database's alone. */
  readonly sweeps: Sweeps;
  /** Every statement is a seam call of its own. */
  readonly isFineGrained?: boolean;
  readonly keepHistory?: boolean;
  readonly faultProbabilities?: Partial<FaultProbabilities>;
  readonly mutation?: Mutation;
  /** Drains by yielding to the event loop: slower, the same trace. */
  readonly yieldAfterEvents?: boolean;
}

export type ApiDeps = Deps & {
  readonly pins: PinVault;
  readonly random: (below: number) => number;
  readonly provider: ProviderRpc;
};

/** PINs as they are; nobody here looks at the database's backups. */
const plainPinVault: PinVault = {
  lookup: (pin) => Buffer.from(pin),
  encrypt: (pin) => Buffer.from(pin),
  decrypt: (sealed) => Buffer.from(sealed).toString(),
};
/** The answering side of a question over Redis must answer within this. */
const RPC_TIMEOUT_MS = 5_000;
const noReply = (): VerdictError => new VerdictError('upstream', 'provider-unreachable', 'Nobody answered in time.');

/** Everything that is ours, running the real use-cases, and the vendor, on one virtual clock. */
export class System {
  readonly scheduler: Scheduler;
  readonly faultProfile: FaultProfile;
  readonly database: DatabaseServer;
  readonly queue: SimQueue;
  readonly ledger: Ledger;
  readonly restApi: RestApi;
  readonly webhookSender: WebhookSender;
  readonly voice: SimVoice;
  readonly video: SimVideo;
  readonly receiver: EndpointReceiver;
  readonly processes = new Map<string, SimProcess>();
  /** Errors of use-cases in webhooks and jobs that are no verdict and no lost connection: something is wrong. */
  readonly unexpectedErrors: unknown[] = [];
  /** What the use-cases counted. */
  readonly counted: Record<string, number> = {};
  /** A webhook was taken and changed something; its token's id. */
  onWebhookAccepted: ((jti: string) => void) | undefined = undefined;
  readonly options: SystemOptions;
  readonly #kinds = new Map<string, SimProcess[]>();
  readonly #lives = new Map<Life, ApiDeps>();
  readonly #wakers = new Map<Life, () => void>();
  readonly #skew = new Map<string, number>();
  readonly #chance: Random;
  readonly #secrets: { next(prefix: string): string };
  #made = 0;

  constructor(options: SystemOptions) {
    const { seed } = options;
    this.options = options;
    const random = (concern: string): Random => createRandom(seed, concern);
    this.scheduler = new Scheduler({ yielding: options.yieldAfterEvents ?? false });
    const { scheduler } = this;
    this.faultProfile = new FaultProfile(random('weather'), options.faultProbabilities);
    this.#chance = random('system');
    this.#secrets = createIdGenerator(seed, 'secrets');
    const net = random('latency');
    this.database = new DatabaseServer(() => scheduler.now);
    this.database.onInternalError = (error) => (scheduler.failure = error);
    this.database.latency = () => 1 + net.int(4);
    this.queue = new SimQueue(scheduler, () => 1 + net.int(3));
    this.ledger = new Ledger(scheduler, options.keepHistory ?? false);
    const ids = createIdGenerator(seed, 'vendor');
    const parts = { scheduler, weather: this.faultProfile, ledger: this.ledger, ids };
    this.receiver = new EndpointReceiver(this.faultProfile, random('receiver'));
    this.restApi = new RestApi({ ...parts, random: random('rest') });
    this.webhookSender = new WebhookSender({ ...parts, random: random('hooks'), gateway: this.#gateway });
    this.voice = new SimVoice({ ...parts, rest: this.restApi, hooks: this.webhookSender, random: random('voice') });
    this.video = new SimVideo({
      ...parts,
      rest: this.restApi,
      hooks: this.webhookSender,
      voice: this.voice,
      random: random('video'),
    });
    const { tables } = this.database;
    tables.numbers.set(NUMBER, {
      e164: NUMBER,
      language: 'en-GB',
      country: null,
      toll_free: false,
      dedicated_to: null,
      account_id: null,
      created_at: new Date(scheduler.now),
    });
    // One of them is told of its events by webhook.
    for (const tenant of TENANTS) tables.tenants.set(tenant, { unlimited: true });
    tables.endpoints.set('ep_0', {
      ...DEFAULT_ENDPOINT,
      id: 'ep_0',
      tenant_id: TENANTS[0],
      url: 'https://tenant',
      secret: Buffer.from(ENDPOINT_SECRET),
      created_at: new Date(scheduler.now),
    });
    for (const name of PROCESSES) {
      const process = new SimProcess(name, scheduler, {
        start: (life) => this.#boot(life),
        crash: (life) => this.#crashed(life),
      });
      this.processes.set(name, process);
      const kind = name.split('-')[0]!;
      this.#kinds.set(kind, [...(this.#kinds.get(kind) ?? []), process]);
      process.boot();
    }
  }

  /** A process' own clock runs wrong by so many milliseconds. */
  setClockSkew(name: string, ms: number): void {
    this.#skew.set(name, ms);
  }

  getDeps(life: Life): ApiDeps {
    return this.#lives.get(life)!;
  }

  /** After a commit: something may be owed now. */
  wakeSweeps(): void {
    for (const wake of this.#wakers.values()) wake();
  }

  #boot(life: Life): void {
    const { scheduler, options } = this;
    const { name } = life.process;
    const deps = this.#depsFor(life);
    this.#lives.set(life, deps);
    if (name.startsWith('orchestrator'))
      this.queue.addWorker(
        life,
        createJobHandlers(deps, (error) => this.#surprise(error)),
      );
    if (name.startsWith('cleanup'))
      this.#wakers.set(
        life,
        startSweeps({
          life,
          deps,
          scheduler,
          receiver: this.receiver,
          tables: this.database.tables,
          live: this.ledger.live,
          sweeps: options.sweeps,
          random: createRandom(options.seed, `timer ${name}`),
          mutate: (plan) => options.mutation?.sweeps?.(plan, this) ?? plan,
        }),
      );
  }

  #crashed(life: Life): void {
    this.#lives.delete(life);
    this.#wakers.delete(life);
    life.abort?.();
    this.queue.expireLocks(life);
  }

  /** SIGSTOP, noticed by those who hold locks for it. */
  pause(process: SimProcess): void {
    process.pause();
    const { life } = process;
    this.queue.expireLocks(life);
    // Postgres ends a transaction that sits idle for ten seconds.
    this.scheduler.after(10_000, () => {
      if (process.isPaused && process.life === life) life.abort?.();
    });
  }

  resume(process: SimProcess): void {
    process.resume();
    this.queue.resume();
  }

  #depsFor(life: Life): ApiDeps {
    const { scheduler, database, queue, options } = this;
    const { name } = life.process;
    const store = openTwinStore(database, (label, act, lost) => life.seam(label, act, lost), {
      fine: options.isFineGrained ?? false,
      onOpen: (abort) => (life.abort = abort),
    });
    const clock = { now: () => new Date(scheduler.now + (this.#skew.get(name) ?? 0)) };
    const raw = { voice: this.voice.providerFor(life), media: this.video.providerFor(life) };
    const ids = createIdGenerator(options.seed, `ids ${name} ${(this.#made += 1)}`);
    const random = createRandom(options.seed, `random ${name} ${this.#made}`);
    const plain: Deps = {
      providers: platformProvidersOnly(rateLimitProviders(raw, { store, sleep: (ms) => life.sleep(ms) })),
      store,
      jobs: queue.createJobs(life),
      clock,
      ids,
      secret: () => this.#secrets.next('secret'),
      webhooks: createWebhookUrls('https://hooks'),
      report: {
        count: (what, labels) => {
          const key = labels === undefined ? what : `${what} ${Object.values(labels).join(' ')}`;
          this.counted[key] = (this.counted[key] ?? 0) + 1;
        },
        warn: () => undefined,
        observe: () => undefined,
      },
    };
    const deps = options.mutation?.deps?.(plain, this) ?? plain;
    return { ...deps, pins: plainPinVault, random: (below) => random.int(below), provider: this.#askProvider(life) };
  }

  /** Questions over Redis, to one of the orchestrators. */
  #askProvider(from: Life): ProviderRpc {
    const ask = <T>(question: (provider: ProviderRpc) => Promise<T>): Promise<T> =>
      new Promise((resolve, reject) => {
        const target = this.#running('orchestrator');
        const { scheduler } = this;
        const timer = scheduler.after(RPC_TIMEOUT_MS, () => from.deliver(() => reject(noReply())));
        if (this.queue.isDown || target === undefined) return;
        const settle = (act: () => void): void => {
          scheduler.cancel(timer);
          scheduler.after(1, () => from.deliver(act));
        };
        scheduler.after(1, () =>
          target.deliver(
            () =>
              void question(createRpcHandlers(this.getDeps(target))).then(
                (value) => settle(() => resolve(value)),
                (error: Error) => settle(() => reject(error)),
              ),
          ),
        );
      });
    return {
      openMedia: (input) => ask((p) => p.openMedia(input)),
      issueToken: (input) => ask((p) => p.issueToken(input)),
      observeRoom: (input) => ask((p) => p.observeRoom(input)),
      mute: (input) => ask((p) => p.mute(input)),
      sendDigits: (input) => ask((p) => p.sendDigits(input)),
      verifyAccount: (input) => ask((p) => p.verifyAccount(input)),
    };
  }

  /** One that is up, and mostly one that is not stopped: a load balancer takes a moment to notice. */
  #running(kind: string): Life | undefined {
    const all = this.#kinds.get(kind)!;
    let up = 0;
    let fit = 0;
    for (const process of all) {
      if (process.isUp) up += 1;
      if (process.isUp && !process.isPaused) fit += 1;
    }
    const onlyFit = fit > 0 && (up === fit || this.#chance.bool(0.8));
    let which = this.#chance.int(onlyFit ? fit : up);
    return all.find((process) => process.isUp && (!onlyFit || !process.isPaused) && which-- === 0)?.life;
  }

  /** A tenant's request to room-api, which is answered by calling back, or never. */
  request<T>(
    act: (deps: ApiDeps) => Promise<T>,
    done: (outcome: { ok: true; value: T } | { ok: false; error: unknown }) => void,
  ): void {
    const target = this.#running('api');
    const { scheduler } = this;
    let settled = false;
    const once = (outcome: Parameters<typeof done>[0]): void => {
      if (settled) return;
      settled = true;
      scheduler.cancel(timer);
      done(outcome);
    };
    const timer = scheduler.after(10_000, () => once({ ok: false, error: 'no answer' }));
    if (target === undefined) {
      scheduler.after(1, () => once({ ok: false, error: 'unreachable' }));
      return;
    }
    scheduler.after(1, () =>
      target.deliver(
        () =>
          void act(this.getDeps(target)).then(
            (value) => scheduler.after(1, () => once({ ok: true, value })),
            (error: unknown) => {
              this.#surprise(error);
              scheduler.after(1, () => once({ ok: false, error }));
            },
          ),
      ),
    );
  }

  #surprise(error: unknown): void {
    if (error instanceof VerdictError || isConnectionError(error)) return;
    if (this.unexpectedErrors.length < 20 && !this.unexpectedErrors.some((each) => String(each) === String(error)))
      this.unexpectedErrors.push(error);
  }

  readonly #gateway: WebhookGateway = (hook, done) => {
    const target = this.#running('webhooks');
    if (target === undefined) {
      done({ ok: false, failure: 'unreachable' });
      return;
    }
    target.deliver(() => void this.#answer(target, hook, done));
  };

  async #answer(target: Life, hook: ProviderWebhook, done: (outcome: WebhookOutcome) => void): Promise<void> {
    try {
      const plan = await this.#take(this.getDeps(target), hook);
      if (plan !== 'ignored') this.onWebhookAccepted?.(hook.jti);
      done({ ok: true, plan: plan === 'ignored' ? null : plan });
    } catch (error) {
      this.#surprise(error);
      const refused = error instanceof VerdictError && error.verdict.outcome === 'client';
      done({ ok: false, failure: refused ? 'refused' : 'failed' });
    }
  }

  /** What voice-webhooks does with a verified, parsed webhook. */
  async #take(deps: ApiDeps, hook: ProviderWebhook): Promise<CallPlan | null | 'ignored'> {
    const token = { accountId: null, jti: hook.jti, expiresAt: new Date(this.scheduler.now + 600_000) };
    switch (hook.to) {
      case 'answer':
        return answerCall(deps, token, hook.call);
      case 'answer-rung':
        return answerDialledLeg(deps, token, hook.legId, hook.call);
      case 'digits':
        return submitPin(deps, token, { legId: hook.legId, tryNo: hook.tryNo }, hook.input);
      case 'voice-event':
        return (await applyLegEvent(deps, { via: 'callback', token }, hook.event, hook.legId)) === 'ignored'
          ? 'ignored'
          : null;
      case 'video-event':
        return (await applyMediaEvent(deps, { via: 'callback', token }, hook.event)) === 'ignored' ? 'ignored' : null;
      default:
        return hook satisfies never;
    }
  }
}

/** A connection that is gone, to Postgres or Redis: ordinary here. */
const isConnectionError = (error: unknown): boolean =>
  error instanceof Error &&
  (error.name === 'ConnectionError' ||
    error.message === 'Connection is closed.' ||
    (error as { code?: string }).code === '25P03');
