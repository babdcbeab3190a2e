import type { Charge } from '@partyline/domain/money';
import { verdict, type Verdict } from '@partyline/domain/verdict';
import type { VoiceEvent } from '@partyline/provider-contract/provider-event';
import type { CallPlan, CreateCall, ObservedCall, VoiceProvider } from '@partyline/provider-contract/voice-provider';
import type { Life } from '../runtime/process.ts';
import type { Random } from '../runtime/random.ts';
import type { ScheduledEvent, Scheduler } from '../runtime/scheduler.ts';
import type { FaultProfile } from './fault-profile.ts';
import { recordFault, type EndedBy, type Ledger, type LedgerEntry } from './ledger.ts';
import { callTooYoung, notFound, type RestApi } from './rest-api.ts';
import type { WebhookSender } from './webhooks.ts';

/** The behaviour of the user at the far end of a call. */
interface UserBehavior {
  /** Milliseconds until a dialled telephone is answered. Null: it is not answered. */
  readonly answersAfterMs?: number | null;
  /** The digits for a PIN prompt and the delay before them. Null: no digits. */
  readonly keys?: (tryNo: number) => { readonly digits: string; readonly afterMs: number } | null;
  readonly onJoined?: (call: SimCall) => void;
}

export interface SimCall {
  readonly entry: LedgerEntry;
  readonly from: string | null;
  readonly to: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly user: UserBehavior;
  phase: 'started' | 'ringing' | 'answered' | 'over';
  /** The leg id in the event URL of the call. Undefined: events go to the application's URL. */
  readonly eventLegId: string | undefined;
  status: Verdict;
  timer: ScheduledEvent | undefined;
  /** The call comes from the SIP connection of a bridge leg. */
  readonly viaSip: boolean;
  /** The gateway of the self-hosted provider that has the call. */
  readonly gateway: number;
  /** When the call ends by itself, as look-ups show it. Null: they do not. */
  endsAt: number | null;
}

/** The leg id in `.../events/<leg id>` and `.../answer/<leg id>`. */
const parseLegId = (url: string): string => url.slice(url.lastIndexOf('/') + 1);
const parseDigitsUrl = (url: string): { legId: string; tryNo: number } => {
  const [legId, tryNo] = url.split('/').slice(-2);
  return { legId: legId!, tryNo: Number(tryNo) };
};

/** The seconds from answer to end, rounded up. */
export const computeBilledSeconds = ({ answeredAt, endedAt }: LedgerEntry): number =>
  answeredAt === null || endedAt === null ? 0 : Math.ceil((endedAt - answeredAt) / 1000);

/** Six cents a minute. */
function computeCharge(entry: LedgerEntry): Charge {
  const seconds = computeBilledSeconds(entry);
  return {
    startedAt: entry.answeredAt === null ? null : new Date(entry.answeredAt),
    endedAt: new Date(entry.endedAt!),
    seconds,
    rateMicro: '60000',
    priceMicro: String(seconds * 1_000),
    currency: 'EUR',
  };
}

/** When the provider says something false of a call, after it was answered or ended. */
const FALSE_STATEMENT_MS = { afterAnswer: 240_000, afterEnd: 60_000 };

/** The gateways of the self-hosted provider. */
export const GATEWAY_COUNT = 2;
/** The calls and browsers of a gateway that is lost end within this time (docs/guarantee.md). */
export const MAX_GATEWAY_LOSS_MS = 2_000;
/** The self-hosted provider ends a call so long after the deadline that it was given. */
export const DEADLINE_MARGIN_MS = 60_000;
const MEDIA_TIMEOUT_MS = 30_000;
const DEADLINE_DELAY_MS = { min: 1_000, max: 20_000 };

interface Parts {
  readonly scheduler: Scheduler;
  readonly ledger: Ledger;
  readonly webhookSender: WebhookSender;
  readonly restApi: RestApi;
  readonly faultProfile: FaultProfile;
  readonly random: Random;
  readonly ids: { next(prefix: string): string };
  /** As at our own gateways: calls have deadlines, and there is no rate limit. */
  readonly isSelfHosted: boolean;
}

/** The provider's voice API and its calls. */
export class SimVoice {
  readonly calls = new Map<string, SimCall>();
  /** The user of each telephone number that is dialled out to. */
  readonly userByNumber = new Map<string, UserBehavior>();
  onCreate: ((input: CreateCall, legId: string) => void) | undefined = undefined;
  onBridgeOver: ((call: SimCall) => void) | undefined = undefined;
  onHangUp: ((entry: LedgerEntry) => void) | undefined = undefined;
  onBridgeAnswered: ((call: SimCall) => void) | undefined = undefined;
  onJoin: ((call: SimCall) => void) | undefined = undefined;
  /** The last call that ended. */
  #lastEnded: SimCall | undefined;
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** A caller, or the SIP connection of a bridge leg, dials one of the platform's numbers. */
  receiveCall({
    kind,
    from,
    to,
    headers = {},
    user,
    media = null,
  }: {
    kind: 'inbound' | 'bridge';
    from: string | null;
    to: string;
    headers?: Readonly<Record<string, string>>;
    user: UserBehavior;
    media?: string | null;
  }): SimCall {
    const { webhookSender } = this.#parts;
    const call = this.#open({ kind, legId: null, media }, { from, to, headers, user, viaSip: kind === 'bridge' });
    call.phase = 'ringing';
    webhookSender.requestPlan(
      call.entry,
      {
        to: 'answer',
        jti: webhookSender.nextToken(),
        call: { callId: call.entry.id, from, to, viaSip: call.viaSip, headers },
      },
      (plan) => this.#executePlan(call, plan),
    );
    return call;
  }

  /** Ends a call, by default from the far end. */
  hangUp(call: SimCall, by: EndedBy = 'user'): void {
    if (call.phase === 'over') return;
    this.#end(call, by, call.phase === 'answered' ? verdict('success', 'completed') : verdict('success', 'cancelled'));
  }

  /**
   * A gateway is lost with its calls, and its successor knows none of them.
   * @param isReported whether the ends of its calls are reported
   */
  loseGateway(gateway: number, isReported: boolean): void {
    const { scheduler, ledger, random } = this.#parts;
    for (const { id } of ledger.live.values()) {
      const call = this.calls.get(id);
      if (call?.gateway !== gateway) continue;
      scheduler.after(random.between(50, MAX_GATEWAY_LOSS_MS), () => {
        if (call.phase !== 'over') this.#end(call, 'failure', verdict('server', 'gateway-lost'), isReported);
      });
    }
  }

  #open(
    { kind, legId, media }: Pick<LedgerEntry, 'kind' | 'legId' | 'media'>,
    values: Pick<SimCall, 'from' | 'to' | 'headers' | 'user' | 'viaSip'>,
  ): SimCall {
    const entry = this.#parts.ledger.open({ id: this.#parts.ids.next('call'), handle: 'voice', kind, legId, media });
    const call: SimCall = {
      entry,
      phase: 'started',
      eventLegId: legId ?? undefined,
      status: verdict('success', 'completed'),
      timer: undefined,
      gateway: this.#parts.isSelfHosted ? this.#parts.random.int(GATEWAY_COUNT) : 0,
      endsAt: null,
      ...values,
    };
    this.calls.set(entry.id, call);
    return call;
  }

  #sendEvent(call: SimCall, phase: SimCall['phase'], { isFalse = false } = {}): void {
    const { webhookSender, scheduler, faultProfile } = this.#parts;
    const jti = webhookSender.nextToken();
    const isPriced = phase === 'over' && !isFalse && !faultProfile.shouldInject('price-missing');
    webhookSender.sendEvent(call.entry, {
      to: 'voice-event',
      jti,
      legId: call.eventLegId,
      event: this.#toEvent(call, phase, new Date(scheduler.now), isPriced),
    });
  }

  #toEvent(call: SimCall, phase: SimCall['phase'], at: Date | null, isPriced: boolean): VoiceEvent {
    const { entry } = call;
    if (phase !== 'over') return { kind: 'call', callId: entry.id, phase, at };
    return {
      kind: 'call',
      callId: entry.id,
      phase,
      verdict: call.status,
      at,
      ...(isPriced ? { charge: computeCharge(entry) } : {}),
    };
  }

  #answer(call: SimCall): void {
    if (call.phase === 'answered' || call.phase === 'over') return;
    call.phase = 'answered';
    call.entry.answeredAt = this.#parts.scheduler.now;
    this.#sendEvent(call, 'answered');
    if (call.viaSip) this.onBridgeAnswered?.(call);
    const { faultProfile, scheduler, random, ledger, isSelfHosted } = this.#parts;
    if (isSelfHosted && faultProfile.shouldSchedule('phone-silent'))
      scheduler.after(random.between(1_000, FALSE_STATEMENT_MS.afterAnswer), () => this.#silence(call));
    if (faultProfile.shouldSchedule('false-completed'))
      scheduler.after(random.between(1_000, FALSE_STATEMENT_MS.afterAnswer), () => {
        if (call.phase === 'over' || !faultProfile.isEnabled) return;
        faultProfile.count('false-completed');
        ledger.recordFalseEnd(call.entry, 'false-completed');
        this.#sendEvent(call, 'over', { isFalse: true });
      });
  }

  #silence(call: SimCall): void {
    const { faultProfile, scheduler, ledger } = this.#parts;
    if (call.phase === 'over' || !faultProfile.isEnabled) return;
    faultProfile.count('phone-silent');
    ledger.recordHistory(call.entry, 'its phone is silent');
    scheduler.after(MEDIA_TIMEOUT_MS, () => {
      if (call.phase !== 'over') this.#end(call, 'failure', verdict('upstream', 'media-timeout'));
    });
  }

  /** Lets a call end by itself a margin after the deadline, instead of when it was said before. */
  #setDeadline(call: SimCall, deadline: Date): void {
    const { scheduler, ledger } = this.#parts;
    scheduler.cancel(call.timer);
    call.endsAt = Math.max(scheduler.now + 1_000, deadline.getTime() + DEADLINE_MARGIN_MS);
    ledger.recordHistory(call.entry, `is to end by itself at ${new Date(call.endsAt).toISOString()}`);
    call.timer = scheduler.at(call.endsAt, () => {
      ledger.countUse('deadline-reached');
      this.#end(call, 'deadline', verdict('success', 'max-duration'));
    });
  }

  #processDeadline(callId: string, deadline: Date): void {
    const { faultProfile, scheduler, random, ledger } = this.#parts;
    const call = this.calls.get(callId);
    if (call === undefined || call.phase === 'over') throw notFound();
    if (call.phase !== 'answered') throw callTooYoung();
    ledger.countUse('deadline-moved');
    if (faultProfile.shouldInject('deadline-ignored')) {
      ledger.recordFailedMove(call.entry, 'its new deadline is ignored');
      return;
    }
    if (!faultProfile.shouldInject('deadline-late')) {
      this.#setDeadline(call, deadline);
      return;
    }
    scheduler.after(random.between(DEADLINE_DELAY_MS.min, DEADLINE_DELAY_MS.max), () => {
      if (call.phase !== 'over') this.#setDeadline(call, deadline);
    });
  }

  /** Executes a plan. The call ends after an empty plan or none. */
  #executePlan(call: SimCall, plan: CallPlan | null): void {
    if (call.phase === 'over') return;
    const { scheduler, webhookSender, ledger } = this.#parts;
    const prompt = plan?.find((step) => step.do === 'ask-digits');
    const join = plan?.find((step) => step.do === 'join');
    const isRejected = this.#parts.isSelfHosted && plan?.[0]?.do === 'reject' && call.phase !== 'answered';
    if (isRejected) return this.#end(call, 'plan', verdict('client', 'busy'));
    if (plan !== null && plan.length > 0) this.#answer(call);
    if (join !== undefined) {
      call.entry.conversation = join.conversation;
      call.entry.joinedAt ??= scheduler.now;
      ledger.recordHistory(call.entry, `joins ${join.conversation}`);
      webhookSender.sendEvent(call.entry, {
        to: 'voice-event',
        jti: webhookSender.nextToken(),
        legId: parseLegId(join.eventUrl),
        event: { kind: 'moved', callId: call.entry.id, at: new Date(scheduler.now) },
      });
      if (this.#parts.isSelfHosted && join.deadline !== undefined) this.#setDeadline(call, join.deadline);
      this.onJoin?.(call);
      call.user.onJoined?.(call);
      return;
    }
    if (prompt !== undefined) {
      const { legId, tryNo } = parseDigitsUrl(prompt.replyUrl);
      const keyed = call.user.keys?.(tryNo) ?? null;
      scheduler.after(keyed?.afterMs ?? 15_000, () => {
        if (call.phase === 'over') return;
        webhookSender.requestPlan(
          call.entry,
          {
            to: 'digits',
            jti: webhookSender.nextToken(),
            legId,
            tryNo,
            input: { callId: call.entry.id, digits: keyed?.digits ?? '', timedOut: keyed === null },
          },
          (next) => this.#executePlan(call, next),
        );
      });
      return;
    }
    // A plan that only speaks takes a moment before the call ends.
    scheduler.after(plan === null || plan.length === 0 ? 50 : 4_000, () => {
      if (call.phase !== 'over') this.#end(call, 'plan', verdict('success', 'completed'));
    });
  }

  #end(call: SimCall, by: EndedBy, status: Verdict, isReported = true): void {
    const { scheduler, ledger, faultProfile, random } = this.#parts;
    scheduler.cancel(call.timer);
    call.phase = 'over';
    call.status = status;
    ledger.close(call.entry, by);
    this.#lastEnded = call;
    if (isReported) this.#sendEvent(call, 'over');
    else call.entry.isEndLost = true;
    if (faultProfile.shouldSchedule('false-answered'))
      scheduler.after(random.between(0, FALSE_STATEMENT_MS.afterEnd), () => {
        if (!faultProfile.isEnabled) return;
        faultProfile.count('false-answered');
        ledger.recordFalseLife(call.entry, 'an event says that it is answered');
        this.#sendEvent(call, 'answered');
      });
    if (call.viaSip) this.onBridgeOver?.(call);
  }

  #dial(input: CreateCall): SimCall {
    const { scheduler, webhookSender } = this.#parts;
    const legId = parseLegId(input.eventUrl);
    this.onCreate?.(input, legId);
    const user = this.userByNumber.get(input.to) ?? {};
    const call = this.#open(
      { kind: 'outbound', legId, media: null },
      { from: input.from, to: input.to, headers: {}, user, viaSip: false },
    );
    this.#sendEvent(call, 'started');
    scheduler.after(800, () => {
      if (call.phase !== 'started') return;
      call.phase = 'ringing';
      this.#sendEvent(call, 'ringing');
      const { answersAfterMs = null } = user;
      call.timer = scheduler.after(input.ringingTimerS * 1000, () =>
        this.#end(call, 'timer', verdict('client', 'unanswered')),
      );
      if (answersAfterMs === null || answersAfterMs >= input.ringingTimerS * 1000) return;
      scheduler.after(answersAfterMs, () => {
        if (call.phase !== 'ringing') return;
        scheduler.cancel(call.timer);
        call.timer = scheduler.after(input.lengthTimerS * 1000, () =>
          this.#end(call, 'timer', verdict('success', 'completed')),
        );
        this.#answer(call);
        webhookSender.requestPlan(
          call.entry,
          {
            to: 'answer-dialled',
            jti: webhookSender.nextToken(),
            legId: parseLegId(input.answerUrl),
            call: { callId: call.entry.id, from: input.from, to: input.to, viaSip: false, headers: {} },
          },
          (plan) => this.#executePlan(call, plan),
        );
      });
    });
    return call;
  }

  /** A false statement about a call that has ended. */
  #observeAsLive(call: SimCall): ObservedCall {
    this.#parts.ledger.recordFalseLife(call.entry, 'the provider shows it as live');
    return {
      callId: call.entry.id,
      calledNumber: call.entry.kind === 'outbound' ? call.to : null,
      over: false,
      event: this.#toEvent(call, 'answered', null, false),
    };
  }

  #observe(call: SimCall): ObservedCall {
    const over = call.phase === 'over';
    return {
      callId: call.entry.id,
      calledNumber: call.entry.kind === 'outbound' ? call.to : null,
      over,
      ...(call.endsAt === null ? {} : { deadline: new Date(call.endsAt - DEADLINE_MARGIN_MS) }),
      event: this.#toEvent(call, call.phase, over ? new Date(call.entry.endedAt!) : null, over),
    };
  }

  #processHangUp(callId: string): void {
    const { faultProfile, scheduler } = this.#parts;
    const call = this.calls.get(callId);
    if (call === undefined || call.phase === 'over') throw notFound();
    if (scheduler.now - call.entry.createdAt < 2_000 && faultProfile.shouldInject('early-put-400'))
      throw callTooYoung();
    if (faultProfile.shouldInject('accepted-but-alive')) {
      recordFault(call.entry, 'accepted-but-alive');
      return;
    }
    this.onHangUp?.(call.entry);
    this.hangUp(call, 'platform');
  }

  #listLive(): ObservedCall[] {
    const { faultProfile, random, ledger } = this.#parts;
    if (faultProfile.shouldInject('list-fails')) throw Object.assign(notFound(), { failure: 'busy' });
    let live = [...ledger.live.values()].filter((entry) => entry.handle === 'voice');
    if (live.length > 0 && faultProfile.shouldInject('list-omits-call')) {
      const index = random.int(live.length);
      ledger.recordOmission(live[index]!);
      live = live.toSpliced(index, 1);
    }
    const calls = live.map((entry) => this.#observe(this.calls.get(entry.id)!));
    if (this.#lastEnded !== undefined && faultProfile.shouldInject('list-shows-ended-call'))
      calls.push(this.#observeAsLive(this.#lastEnded));
    return calls;
  }

  /** The voice provider of one process. */
  createProvider(life: Life): VoiceProvider {
    const { restApi, faultProfile, ledger, isSelfHosted } = this.#parts;
    const unsupported = (): never => {
      throw new Error('the simulation passes parsed webhooks, and no use-case transfers a call');
    };
    const limit = isSelfHosted ? 'none' : 'rest';
    const findEntry = (callId: string): LedgerEntry | null => this.calls.get(callId)?.entry ?? null;
    const change = (label: string, act: () => void = () => undefined): Promise<void> =>
      restApi.request({ life, label, isRead: false, limit, entry: null, act });
    return {
      kind: 'simulated',
      rateLimitKey: isSelfHosted ? null : 'account',
      capabilities: {
        listCalls: true,
        mute: true,
        sendDigits: true,
        say: true,
        transfer: false,
        setDeadline: isSelfHosted,
      },
      renderPlan: (plan) => plan,
      createCall: (input) =>
        restApi.request({
          life,
          label: 'create',
          isRead: false,
          limit: isSelfHosted ? 'none' : 'create',
          entry: null,
          act: () => ({ callId: this.#dial(input).entry.id }),
          findCreated: ({ callId }) => findEntry(callId),
        }),
      hangUp: (callId) =>
        restApi.request({
          life,
          label: 'hang-up',
          isRead: false,
          limit,
          entry: findEntry(callId),
          isHangUp: true,
          act: () => this.#processHangUp(callId),
        }),
      say: () => change('say'),
      transfer: unsupported,
      setDeadline: (callId, deadline) =>
        restApi.request({
          life,
          label: 'set-deadline',
          isRead: false,
          limit,
          // Its faults do not excuse a late hang-up.
          entry: null,
          act: () => this.#processDeadline(callId, deadline),
          onError: ({ verdict: { reason } }) => {
            const entry = findEntry(callId);
            if (entry !== null) ledger.recordFailedMove(entry, `${life.process.name} set-deadline: ${reason}`);
          },
        }),
      sendDigits: () => change('dtmf'),
      mute: (callId, muted) =>
        change('mute', () => {
          const entry = findEntry(callId);
          if (entry === null || entry.endedAt !== null) throw notFound();
          entry.isMuted = muted;
          ledger.countUse('phone-muted');
        }),
      getCall: (callId) =>
        restApi.request({
          life,
          label: 'get',
          isRead: true,
          limit,
          entry: findEntry(callId),
          act: () => {
            const call = this.calls.get(callId);
            if (call === undefined || faultProfile.shouldInject('wrong-region-404')) return null;
            return call.phase === 'over' && faultProfile.shouldInject('look-up-shows-ended-call')
              ? this.#observeAsLive(call)
              : this.#observe(call);
          },
        }),
      listLiveCalls: () =>
        restApi.request({
          life,
          label: 'list',
          isRead: true,
          limit,
          entry: null,
          act: () => this.#listLive(),
        }),
      verifyCallback: unsupported,
      parseAnswer: unsupported,
      parseInput: unsupported,
      parseEvent: unsupported,
    };
  }
}
