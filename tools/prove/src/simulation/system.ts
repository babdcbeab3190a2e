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

/** The number that callers dial. */
export const NUMBER = '+442079460000';
export const TENANTS = ['ten_a', 'ten_b', 'ten_c', 'ten_d', 'ten_e'] as const;
/** The simulated processes. The name before the hyphen is the service. */
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
  readonly sweeps: Sweeps;
  /** Every statement is a seam call of its own, so processes interleave between statements. */
  readonly isFineGrained?: boolean;
  readonly keepHistory?: boolean;
  readonly faultProbabilities?: Partial<FaultProbabilities>;
  readonly mutation?: Mutation;
  /** The provider is that of our own gateways. */
  readonly isSelfHosted?: boolean;
  /** Yields to the event loop after each event: slower, with the same trace. */
  readonly yieldAfterEvents?: boolean;
}

export type ApiDeps = Deps & {
  readonly pins: PinVault;
  readonly random: (below: number) => number;
  readonly provider: ProviderRpc;
};

/** Stores PINs unencrypted. */
const plainPinVault: PinVault = {
  lookups: (pin) => [Buffer.from(pin)],
  encrypt: (pin) => Buffer.from(pin),
  decrypt: (encrypted) => Buffer.from(encrypted).toString(),
};
const RPC_TIMEOUT_MS = 5_000;
const noReply = (): VerdictError =>
  new VerdictError('upstream', 'provider-unreachable', 'No orchestrator answered in time.');

/**
 * The platform, which runs the real use-cases, and the simulated provider, on one virtual clock.
 */
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
  /** Errors of use-cases that are neither a verdict nor a lost connection. Each is a bug. */
  readonly unexpectedErrors: unknown[] = [];
  /** Called with the token id of each webhook that took effect. */
  onWebhookAccepted: ((jti: string) => void) | undefined = undefined;
  readonly options: SystemOptions;
  readonly #processesByService = new Map<string, SimProcess[]>();
  readonly #deps = new Map<Life, ApiDeps>();
  readonly #wakers = new Map<Life, () => void>();
  readonly #clockSkew = new Map<string, number>();
  readonly #random: Random;
  readonly #secrets: { next(prefix: string): string };
  #lifeCount = 0;

  constructor(options: SystemOptions) {
    const { seed } = options;
    this.options = options;
    const random = (concern: string): Random => createRandom(seed, concern);
    this.scheduler = new Scheduler({ yielding: options.yieldAfterEvents ?? false });
    const { scheduler } = this;
    this.faultProfile = new FaultProfile(random('single faults'), options.faultProbabilities);
    this.#random = random('system');
    this.#secrets = createIdGenerator(seed, 'secrets');
    const latency = random('latency');
    this.database = new DatabaseServer(() => scheduler.now);
    this.database.onInternalError = (error) => (scheduler.failure = error);
    this.database.latency = () => 1 + latency.int(4);
    this.queue = new SimQueue(scheduler, () => 1 + latency.int(3));
    this.ledger = new Ledger(scheduler, options.keepHistory ?? false);
    const ids = createIdGenerator(seed, 'provider');
    const { faultProfile, ledger } = this;
    const parts = { scheduler, faultProfile, ledger, ids, isSelfHosted: options.isSelfHosted ?? false };
    this.receiver = new EndpointReceiver(faultProfile, random('receiver'));
    this.restApi = new RestApi({ ...parts, random: random('rest') });
    this.webhookSender = new WebhookSender({ ...parts, random: random('webhooks'), gateway: this.#gateway });
    const { restApi, webhookSender } = this;
    this.voice = new SimVoice({ ...parts, restApi, webhookSender, random: random('voice') });
    this.video = new SimVideo({
      ...parts,
      restApi,
      webhookSender,
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
    for (const tenant of TENANTS) tables.tenants.set(tenant, { unlimited: true });
    // Only the first tenant has an endpoint.
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
        crash: (life) => this.#cleanUp(life),
      });
      this.processes.set(name, process);
      const service = name.split('-')[0]!;
      this.#processesByService.set(service, [...(this.#processesByService.get(service) ?? []), process]);
      process.boot();
    }
  }

  /** Moves the clock of a process by `ms`. */
  setClockSkew(name: string, ms: number): void {
    this.#clockSkew.set(name, ms);
  }

  getDeps(life: Life): ApiDeps {
    return this.#deps.get(life)!;
  }

  /** Called after each commit, since work may be due now. */
  wakeSweeps(): void {
    for (const wake of this.#wakers.values()) wake();
  }

  #boot(life: Life): void {
    const { scheduler, options } = this;
    const { name } = life.process;
    const deps = this.#createDeps(life);
    this.#deps.set(life, deps);
    if (name.startsWith('orchestrator'))
      this.queue.addWorker(
        life,
        createJobHandlers(deps, (error) => this.#recordError(error)),
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
          liveEntries: this.ledger.live,
          sweeps: options.sweeps,
          random: createRandom(options.seed, `timer ${name}`),
          mutate: (plan) => options.mutation?.sweeps?.(plan, this) ?? plan,
        }),
      );
  }

  #cleanUp(life: Life): void {
    this.#deps.delete(life);
    this.#wakers.delete(life);
    life.abort?.();
    this.queue.expireLocks(life);
  }

  /** SIGSTOP. Redis and Postgres then expire the locks of the process. */
  pause(process: SimProcess): void {
    process.pause();
    const { life } = process;
    this.queue.expireLocks(life);
    // Postgres ends a transaction that is idle for ten seconds.
    this.scheduler.after(10_000, () => {
      if (process.isPaused && process.life === life) life.abort?.();
    });
  }

  resume(process: SimProcess): void {
    process.resume();
    this.queue.resume();
  }

  #createDeps(life: Life): ApiDeps {
    const { scheduler, database, queue, options } = this;
    const { name } = life.process;
    const store = openTwinStore(database, (label, act, checkLost) => life.seam(label, act, checkLost), {
      isFineGrained: options.isFineGrained ?? false,
      onOpen: (abort) => (life.abort = abort),
    });
    const clock = { now: () => new Date(scheduler.now + (this.#clockSkew.get(name) ?? 0)) };
    const providers = { voice: this.voice.createProvider(life), media: this.video.createProvider(life) };
    const ids = createIdGenerator(options.seed, `ids ${name} ${(this.#lifeCount += 1)}`);
    const random = createRandom(options.seed, `random ${name} ${this.#lifeCount}`);
    const unmutated: Deps = {
      providers: platformProvidersOnly(rateLimitProviders(providers, { store, sleep: (ms) => life.sleep(ms) })),
      store,
      jobs: queue.createJobs(life),
      clock,
      ids,
      secret: () => this.#secrets.next('secret'),
      webhooks: createWebhookUrls('https://hooks'),
      report: {
        count: () => undefined,
        warn: () => undefined,
        observe: () => undefined,
      },
    };
    const deps = options.mutation?.deps?.(unmutated, this) ?? unmutated;
    return {
      ...deps,
      pins: plainPinVault,
      random: (below) => random.int(below),
      provider: this.#createRpcClient(life),
    };
  }

  /** RPC over Redis to one of the orchestrators. */
  #createRpcClient(from: Life): ProviderRpc {
    const request = <T>(call: (provider: ProviderRpc) => Promise<T>): Promise<T> =>
      new Promise((resolve, reject) => {
        const target = this.#pickProcess('orchestrator');
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
              void call(createRpcHandlers(this.getDeps(target))).then(
                (value) => settle(() => resolve(value)),
                (error: Error) => settle(() => reject(error)),
              ),
          ),
        );
      });
    return {
      openMedia: (input) => request((p) => p.openMedia(input)),
      issueToken: (input) => request((p) => p.issueToken(input)),
      observeRoom: (input) => request((p) => p.observeRoom(input)),
      mute: (input) => request((p) => p.mute(input)),
      sendDigits: (input) => request((p) => p.sendDigits(input)),
      verifyAccount: (input) => request((p) => p.verifyAccount(input)),
    };
  }

  /**
   * A process of the service that is up. Paused ones are picked rarely: a load balancer detects
   * them late.
   */
  #pickProcess(service: string): Life | undefined {
    const all = this.#processesByService.get(service)!;
    let up = 0;
    let running = 0;
    for (const process of all) {
      if (process.isUp) up += 1;
      if (process.isUp && !process.isPaused) running += 1;
    }
    const onlyRunning = running > 0 && (up === running || this.#random.bool(0.8));
    let index = this.#random.int(onlyRunning ? running : up);
    return all.find((process) => process.isUp && (!onlyRunning || !process.isPaused) && index-- === 0)?.life;
  }

  /**
   * Sends a tenant's request to room-api. Calls back with the outcome, at the latest after ten
   * seconds.
   */
  request<T>(
    act: (deps: ApiDeps) => Promise<T>,
    onOutcome: (outcome: { ok: true; value: T } | { ok: false; error: unknown }) => void,
  ): void {
    const target = this.#pickProcess('api');
    const { scheduler } = this;
    let isSettled = false;
    const settle = (outcome: Parameters<typeof onOutcome>[0]): void => {
      if (isSettled) return;
      isSettled = true;
      scheduler.cancel(timer);
      onOutcome(outcome);
    };
    const timer = scheduler.after(10_000, () => settle({ ok: false, error: 'no answer' }));
    if (target === undefined) {
      scheduler.after(1, () => settle({ ok: false, error: 'unreachable' }));
      return;
    }
    scheduler.after(1, () =>
      target.deliver(
        () =>
          void act(this.getDeps(target)).then(
            (value) => scheduler.after(1, () => settle({ ok: true, value })),
            (error: unknown) => {
              this.#recordError(error);
              scheduler.after(1, () => settle({ ok: false, error }));
            },
          ),
      ),
    );
  }

  #recordError(error: unknown): void {
    if (error instanceof VerdictError || isOutage(error)) return;
    if (this.unexpectedErrors.length < 20 && !this.unexpectedErrors.some((each) => String(each) === String(error)))
      this.unexpectedErrors.push(error);
  }

  readonly #gateway: WebhookGateway = (webhook, onOutcome) => {
    const target = this.#pickProcess('webhooks');
    if (target === undefined) {
      onOutcome({ ok: false, failure: 'unreachable' });
      return;
    }
    target.deliver(() => void this.#answerWebhook(target, webhook, onOutcome));
  };

  async #answerWebhook(
    target: Life,
    webhook: ProviderWebhook,
    onOutcome: (outcome: WebhookOutcome) => void,
  ): Promise<void> {
    try {
      const plan = await this.#handleWebhook(this.getDeps(target), webhook);
      if (plan !== 'ignored') this.onWebhookAccepted?.(webhook.jti);
      onOutcome({ ok: true, plan: plan === 'ignored' ? null : plan });
    } catch (error) {
      this.#recordError(error);
      const isRejected = error instanceof VerdictError && error.verdict.outcome === 'client';
      onOutcome({ ok: false, failure: isRejected ? 'rejected' : 'failed' });
    }
  }

  /** Handles a verified and parsed webhook, as voice-webhooks does. */
  async #handleWebhook(deps: ApiDeps, webhook: ProviderWebhook): Promise<CallPlan | null | 'ignored'> {
    const { voice } = await deps.providers(null);
    // The provider's own form of a plan is the plan itself.
    const render = (plan: CallPlan): CallPlan => voice.renderPlan(plan) as CallPlan;
    const token = { accountId: null, jti: webhook.jti, expiresAt: new Date(this.scheduler.now + 600_000) };
    switch (webhook.to) {
      case 'answer':
        return render(await answerCall(deps, token, webhook.call));
      case 'answer-dialled':
        return render(await answerDialledLeg(deps, token, webhook.legId, webhook.call));
      case 'digits':
        return render(await submitPin(deps, token, { legId: webhook.legId, tryNo: webhook.tryNo }, webhook.input));
      case 'voice-event':
        return (await applyLegEvent(deps, { via: 'callback', token }, webhook.event, webhook.legId)) === 'ignored'
          ? 'ignored'
          : null;
      case 'video-event':
        return (await applyMediaEvent(deps, { via: 'callback', token }, webhook.event)) === 'ignored'
          ? 'ignored'
          : null;
      default:
        return webhook satisfies never;
    }
  }
}

/** Whether a connection to Postgres or Redis was lost or Redis was full, which faults cause. */
const isOutage = (error: unknown): boolean =>
  error instanceof Error &&
  (error.name === 'ConnectionError' ||
    error.message === 'Connection is closed.' ||
    error.message.startsWith('OOM ') ||
    (error as { code?: string }).code === '25P03');
