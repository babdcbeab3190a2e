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

interface Parts {
  readonly scheduler: Scheduler;
  readonly ledger: Ledger;
  readonly webhookSender: WebhookSender;
  readonly restApi: RestApi;
  readonly faultProfile: FaultProfile;
  readonly random: Random;
  readonly ids: { next(prefix: string): string };
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
    const { faultProfile, scheduler, random, ledger } = this.#parts;
    if (faultProfile.shouldSchedule('false-completed'))
      scheduler.after(random.between(1_000, FALSE_STATEMENT_MS.afterAnswer), () => {
        if (call.phase === 'over' || !faultProfile.isEnabled) return;
        faultProfile.count('false-completed');
        ledger.recordFalseEnd(call.entry, 'false-completed');
        this.#sendEvent(call, 'over', { isFalse: true });
      });
  }

  /** Executes a plan. The call ends after an empty plan or none. */
  #executePlan(call: SimCall, plan: CallPlan | null): void {
    if (call.phase === 'over') return;
    const { scheduler, webhookSender, ledger } = this.#parts;
    const prompt = plan?.find((step) => step.do === 'ask-digits');
    const join = plan?.find((step) => step.do === 'join');
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

  #end(call: SimCall, by: EndedBy, status: Verdict): void {
    const { scheduler, ledger, faultProfile, random } = this.#parts;
    scheduler.cancel(call.timer);
    call.phase = 'over';
    call.status = status;
    ledger.close(call.entry, by);
    this.#lastEnded = call;
    this.#sendEvent(call, 'over');
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
    const { restApi, faultProfile } = this.#parts;
    const unsupported = (): never => {
      throw new Error('the simulation passes parsed webhooks');
    };
    const findEntry = (callId: string): LedgerEntry | null => this.calls.get(callId)?.entry ?? null;
    const change = (label: string): Promise<void> =>
      restApi.request({ life, label, isRead: false, limit: 'rest', entry: null, act: () => undefined });
    return {
      kind: 'simulated',
      rateLimitKey: 'account',
      capabilities: { listCalls: true, mute: true, sendDigits: true, say: true, transfer: false, setDeadline: false },
      renderPlan: (plan) => plan,
      createCall: (input) =>
        restApi.request({
          life,
          label: 'create',
          isRead: false,
          limit: 'create',
          entry: null,
          act: () => ({ callId: this.#dial(input).entry.id }),
          findCreated: ({ callId }) => findEntry(callId),
        }),
      hangUp: (callId) =>
        restApi.request({
          life,
          label: 'hang-up',
          isRead: false,
          limit: 'rest',
          entry: findEntry(callId),
          isHangUp: true,
          act: () => this.#processHangUp(callId),
        }),
      say: () => change('say'),
      transfer: unsupported,
      setDeadline: unsupported,
      sendDigits: () => change('dtmf'),
      mute: () => change('mute'),
      getCall: (callId) =>
        restApi.request({
          life,
          label: 'get',
          isRead: true,
          limit: 'rest',
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
          limit: 'rest',
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
