import type { Charge } from '@partyline/domain/money';
import { verdict, type Verdict } from '@partyline/domain/verdict';
import type { VoiceEvent } from '@partyline/provider-contract/provider-event';
import type { CallPlan, CreateCall, ObservedCall, VoiceProvider } from '@partyline/provider-contract/voice-provider';
import type { Life } from '../runtime/process.ts';
import type { Random } from '../runtime/random.ts';
import type { ScheduledEvent, Scheduler } from '../runtime/scheduler.ts';
import type { ProviderWebhook, WebhookSender } from './webhooks.ts';
import { recordFault, type EndedBy, type LedgerEntry, type Ledger } from './ledger.ts';
import { notFound, callTooYoung, type RestApi } from './rest-api.ts';
import type { FaultProfile } from './fault-profile.ts';

/** How somebody behaves at the other end of a call. */
interface UserBehavior {
  /** Milliseconds until a phone that we ring is picked up; null: nobody is there. */
  readonly answersAfterMs?: number | null;
  /** What is keyed at each prompt and after how long; null: nothing. */
  readonly keys?: (tryNo: number) => { readonly digits: string; readonly afterMs: number } | null;
  readonly onJoined?: (call: SimCall) => void;
  readonly onOver?: (call: SimCall) => void;
}

export interface SimCall {
  readonly entry: LedgerEntry;
  readonly from: string | null;
  readonly to: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly user: UserBehavior;
  phase: 'started' | 'ringing' | 'answered' | 'over';
  /** Where the carrier sends this call's events, when not to the application's address. */
  eventLegId: string | undefined;
  status: Verdict;
  timer: ScheduledEvent | undefined;
  /** When the other side of a bridge was let go while this still rang. */
  readonly viaSip: boolean;
}

/** `…/events/<leg id>` and `…/answer/<leg id>`: what a leg's own addresses hold. */
const parseLegId = (url: string): string => url.slice(url.lastIndexOf('/') + 1);
const parseDigitsUrl = (url: string): { legId: string; tryNo: number } => {
  const [legId, tryNo] = url.split('/').slice(-2);
  return { legId: legId!, tryNo: Number(tryNo) };
};

/** Started seconds from answer to end, at six cents a minute. */
export const computeBilledSeconds = ({ answeredAt, endedAt }: LedgerEntry): number =>
  answeredAt === null || endedAt === null ? 0 : Math.ceil((endedAt - answeredAt) / 1000);
function computeCharge(entry: LedgerEntry): Charge {
  const seconds = computeBilledSeconds(entry);
  return {
    startedAt: entry.answeredAt === null ? null : new Date(entry.answeredAt),
    endedAt: new Date(entry.endedAt!),
    seconds,
    rateMicro: 60_000n,
    priceMicro: BigInt(seconds) * 1_000n,
    currency: 'EUR',
  };
}

/** The vendor's voice side: calls, what they do, and the REST calls about them. */
export class SimVoice {
  readonly calls = new Map<string, SimCall>();
  /** What a phone number does when we ring it. */
  readonly userByNumber = new Map<string, UserBehavior>();
  onCreate: ((input: CreateCall, legId: string) => void) | undefined = undefined;
  onBridgeOver: ((call: SimCall) => void) | undefined = undefined;
  onHangUp: ((entry: LedgerEntry) => void) | undefined = undefined;
  onBridgeAnswered: ((call: SimCall) => void) | undefined = undefined;
  readonly #in: {
    scheduler: Scheduler;
    ledger: Ledger;
    hooks: WebhookSender;
    rest: RestApi;
    weather: FaultProfile;
    random: Random;
    ids: { next(prefix: string): string };
  };

  constructor(parts: {
    scheduler: Scheduler;
    ledger: Ledger;
    hooks: WebhookSender;
    rest: RestApi;
    weather: FaultProfile;
    random: Random;
    ids: { next(prefix: string): string };
  }) {
    this.#in = parts;
  }

  /** Somebody, or our own SIP leg, calls one of our numbers. */
  receiveCall({
    kind,
    from,
    to,
    headers = {},
    person,
    media = null,
  }: {
    kind: 'inbound' | 'bridge';
    from: string | null;
    to: string;
    headers?: Readonly<Record<string, string>>;
    person: UserBehavior;
    media?: string | null;
  }): SimCall {
    const { ids, hooks } = this.#in;
    const call = this.#open({ kind, legId: null, media }, { from, to, headers, user: person, viaSip: kind === 'bridge' });
    call.phase = 'ringing';
    hooks.requestPlan(
      call.entry,
      { to: 'answer', jti: hooks.nextToken(), call: { callId: call.entry.id, from, to, viaSip: call.viaSip, headers } },
      (plan) => this.#follow(call, plan),
    );
    void ids;
    return call;
  }

  /** The far end puts the phone down. */
  hangUpByUser(call: SimCall, by: EndedBy = 'person'): void {
    if (call.phase === 'over') return;
    this.#over(call, by, call.phase === 'answered' ? verdict('success', 'completed') : verdict('success', 'cancelled'));
  }

  #open(
    { kind, legId, media }: Pick<LedgerEntry, 'kind' | 'legId' | 'media'>,
    call: Pick<SimCall, 'from' | 'to' | 'headers' | 'person' | 'viaSip'>,
  ): SimCall {
    const entry = this.#in.ledger.open({ id: this.#in.ids.next('call'), side: 'voice', kind, legId, media });
    const made: SimCall = {
      entry,
      phase: 'started',
      eventLegId: legId ?? undefined,
      status: verdict('success', 'completed'),
      timer: undefined,
      ...call,
    };
    this.calls.set(entry.id, made);
    return made;
  }

  #tell(call: SimCall, phase: 'started' | 'ringing' | 'answered' | 'over'): void {
    const { hooks, scheduler, weather } = this.#in;
    const hook: ProviderWebhook = {
      to: 'voice-event',
      jti: hooks.nextToken(),
      legId: call.eventLegId,
      event: this.#event(call, phase, new Date(scheduler.now), phase === 'over' && !weather.shouldInject('price-missing')),
    };
    hooks.sendEvent(call.entry, hook);
  }

  #event(call: SimCall, phase: SimCall['phase'], at: Date | null, priced: boolean): VoiceEvent {
    const { entry } = call;
    if (phase !== 'over') return { kind: 'call', callId: entry.id, phase, at };
    return {
      kind: 'call',
      callId: entry.id,
      phase,
      verdict: call.status,
      at,
      ...(priced ? { charge: computeCharge(entry) } : {}),
    };
  }

  #answered(call: SimCall): void {
    if (call.phase === 'answered' || call.phase === 'over') return;
    call.phase = 'answered';
    call.entry.answeredAt = this.#in.scheduler.now;
    this.#tell(call, 'answered');
    if (call.viaSip) this.onBridgeAnswered?.(call);
  }

  /** Does what a plan says; null or an empty one lets the call go. */
  #follow(call: SimCall, plan: CallPlan | null): void {
    if (call.phase === 'over') return;
    const { scheduler, hooks, ledger } = this.#in;
    const ask = plan?.find((step) => step.do === 'ask-digits');
    const join = plan?.find((step) => step.do === 'join');
    if (plan !== null && plan.length > 0) this.#answered(call);
    if (join !== undefined) {
      call.entry.conversation = join.conversation;
      ledger.recordHistory(call.entry, `joins ${join.conversation}`);
      hooks.sendEvent(call.entry, {
        to: 'voice-event',
        jti: hooks.nextToken(),
        legId: parseLegId(join.eventUrl),
        event: { kind: 'moved', callId: call.entry.id, at: new Date(scheduler.now) },
      });
      call.user.onJoined?.(call);
      return;
    }
    if (ask !== undefined) {
      const { legId, tryNo } = parseDigitsUrl(ask.replyUrl);
      const keyed = call.user.keys?.(tryNo) ?? null;
      scheduler.after(keyed?.afterMs ?? 15_000, () => {
        if (call.phase === 'over') return;
        hooks.requestPlan(
          call.entry,
          {
            to: 'digits',
            jti: hooks.nextToken(),
            legId,
            tryNo,
            input: { callId: call.entry.id, digits: keyed?.digits ?? '', timedOut: keyed === null },
          },
          (next) => this.#follow(call, next),
        );
      });
      return;
    }
    // A good-bye is spoken, and then the call is over.
    scheduler.after(plan === null || plan.length === 0 ? 50 : 4_000, () => {
      if (call.phase !== 'over') this.#over(call, 'door', verdict('success', 'completed'));
    });
  }

  #over(call: SimCall, by: EndedBy, how: Verdict): void {
    const { scheduler, ledger } = this.#in;
    scheduler.cancel(call.timer);
    call.phase = 'over';
    call.status = how;
    ledger.close(call.entry, by);
    this.#tell(call, 'over');
    if (call.viaSip) this.onBridgeOver?.(call);
    call.user.onOver?.(call);
  }

  #place(input: CreateCall): SimCall {
    const { scheduler, hooks } = this.#in;
    const legId = parseLegId(input.eventUrl);
    this.onCreate?.(input, legId);
    const person = this.userByNumber.get(input.to) ?? {};
    const call = this.#open(
      { kind: 'outbound', legId, media: null },
      { from: input.from, to: input.to, headers: {}, user: person, viaSip: false },
    );
    this.#tell(call, 'started');
    scheduler.after(800, () => {
      if (call.phase !== 'started') return;
      call.phase = 'ringing';
      this.#tell(call, 'ringing');
      const { answersAfterMs: picksUpAfter = null } = person;
      call.timer = scheduler.after(input.ringingTimerS * 1000, () =>
        this.#over(call, 'timer', verdict('client', 'unanswered')),
      );
      if (picksUpAfter === null || picksUpAfter >= input.ringingTimerS * 1000) return;
      scheduler.after(picksUpAfter, () => {
        if (call.phase !== 'ringing') return;
        scheduler.cancel(call.timer);
        call.timer = scheduler.after(input.lengthTimerS * 1000, () =>
          this.#over(call, 'timer', verdict('success', 'completed')),
        );
        this.#answered(call);
        hooks.requestPlan(
          call.entry,
          {
            to: 'answer-rung',
            jti: hooks.nextToken(),
            legId: parseLegId(input.answerUrl),
            call: { callId: call.entry.id, from: input.from, to: input.to, viaSip: false, headers: {} },
          },
          (plan) => this.#follow(call, plan),
        );
      });
    });
    return call;
  }

  #observe(call: SimCall): ObservedCall {
    const over = call.phase === 'over';
    return {
      callId: call.entry.id,
      calledNumber: call.entry.kind === 'outbound' ? call.to : null,
      over,
      event: this.#event(call, call.phase, over ? new Date(call.entry.endedAt!) : null, over),
    };
  }

  #hangUp(callId: string): void {
    const { weather, scheduler } = this.#in;
    const call = this.calls.get(callId);
    if (call === undefined || call.phase === 'over') throw notFound();
    if (scheduler.now - call.entry.createdAt < 2_000 && weather.shouldInject('early-put-400')) throw callTooYoung();
    if (weather.shouldInject('accepted-but-alive')) {
      recordFault(call.entry, 'accepted-but-alive');
      return;
    }
    this.onHangUp?.(call.entry);
    this.#over(
      call,
      'us',
      call.phase === 'answered' ? verdict('success', 'completed') : verdict('success', 'cancelled'),
    );
  }

  /** The provider that one process holds. */
  providerFor(life: Life): VoiceProvider {
    const { rest, weather, random } = this.#in;
    const unused = (): never => {
      throw new Error('the simulation hands over parsed webhooks');
    };
    const entryOf = (callId: string): LedgerEntry | null => this.calls.get(callId)?.entry ?? null;
    return {
      kind: 'simulated',
      rateLimitKey: 'account',
      capabilities: { listCalls: true, mute: true, sendDigits: true, say: true },
      renderPlan: (plan) => plan,
      createCall: (input) =>
        rest.request({
          life,
          label: 'create',
          isRead: false,
          limit: 'create',
          entry: null,
          act: () => ({ callId: this.#place(input).entry.id }),
          findCreated: ({ callId }) => entryOf(callId),
        }),
      hangUp: (callId) =>
        rest.request({
          life,
          label: 'hang-up',
          isRead: false,
          limit: 'rest',
          entry: entryOf(callId),
          isHangUp: true,
          act: () => this.#hangUp(callId),
        }),
      say: () => rest.request({ life, label: 'say', isRead: false, limit: 'rest', entry: null, act: () => undefined }),
      sendDigits: () =>
        rest.request({ life, label: 'dtmf', isRead: false, limit: 'rest', entry: null, act: () => undefined }),
      mute: () => rest.request({ life, label: 'mute', isRead: false, limit: 'rest', entry: null, act: () => undefined }),
      getCall: (callId) =>
        rest.request({
          life,
          label: 'get',
          isRead: true,
          limit: 'rest',
          entry: entryOf(callId),
          act: () => {
            const call = this.calls.get(callId);
            if (call === undefined || weather.shouldInject('wrong-region-404')) return null;
            return this.#observe(call);
          },
        }),
      listLiveCalls: () =>
        rest.request({
          life,
          label: 'list',
          isRead: true,
          limit: 'rest',
          entry: null,
          act: () => {
            if (weather.shouldInject('list-fails')) throw Object.assign(notFound(), { failure: 'busy' });
            const live = [...this.#in.ledger.live.values()].filter((entry) => entry.side === 'voice');
            const all = live.map((entry) => this.#observe(this.calls.get(entry.id)!));
            if (all.length > 0 && weather.shouldInject('list-omits')) all.splice(random.int(all.length), 1);
            return all;
          },
        }),
      verifyCallback: unused,
      parseAnswer: unused,
      parseInput: unused,
      parseEvent: unused,
    };
  }
}
