import type { Charge } from '@partyline/domain/money';
import { verdict, type Verdict } from '@partyline/domain/verdict';
import type { VoiceEvent } from '@partyline/provider-contract/provider-event';
import type { CallPlan, CreateCall, ObservedCall, VoiceProvider } from '@partyline/provider-contract/voice-provider';
import type { Life } from '../runtime/process.ts';
import type { Random } from '../runtime/random.ts';
import type { Event, Scheduler } from '../runtime/scheduler.ts';
import type { Hook, Hooks } from './webhooks.ts';
import { touch, type EndedBy, type Entry, type Ledger } from './ledger.ts';
import { notFound, tooYoung, type Rest } from './rest-api.ts';
import type { Weather } from './fault-profile.ts';

/** How somebody behaves at the other end of a call. */
interface Person {
  /** Milliseconds until a phone that we ring is picked up; null: nobody is there. */
  readonly picksUpAfter?: number | null;
  /** What is keyed at each prompt and after how long; null: nothing. */
  readonly keys?: (tryNo: number) => { readonly digits: string; readonly afterMs: number } | null;
  readonly onJoined?: (call: SimCall) => void;
  readonly onOver?: (call: SimCall) => void;
}

export interface SimCall {
  readonly entry: Entry;
  readonly from: string | null;
  readonly to: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly person: Person;
  phase: 'started' | 'ringing' | 'answered' | 'over';
  /** Where the carrier sends this call's events, when not to the application's address. */
  eventsLeg: string | undefined;
  status: Verdict;
  timer: Event | undefined;
  /** When the other side of a bridge was let go while this still rang. */
  readonly viaSip: boolean;
}

/** `…/events/<leg id>` and `…/answer/<leg id>`: what a leg's own addresses hold. */
const legOfUrl = (url: string): string => url.slice(url.lastIndexOf('/') + 1);
const tryOfUrl = (url: string): { legId: string; tryNo: number } => {
  const [legId, tryNo] = url.split('/').slice(-2);
  return { legId: legId!, tryNo: Number(tryNo) };
};

/** Started seconds from answer to end, at six cents a minute. */
export const billedSeconds = ({ answeredAt, endedAt }: Entry): number =>
  answeredAt === null || endedAt === null ? 0 : Math.ceil((endedAt - answeredAt) / 1000);
function chargeOf(entry: Entry): Charge {
  const seconds = billedSeconds(entry);
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
  readonly phones = new Map<string, Person>();
  onCreate: ((input: CreateCall, legId: string) => void) | undefined = undefined;
  onBridgeOver: ((call: SimCall) => void) | undefined = undefined;
  onHangUp: ((entry: Entry) => void) | undefined = undefined;
  onBridgeAnswered: ((call: SimCall) => void) | undefined = undefined;
  readonly #in: {
    scheduler: Scheduler;
    ledger: Ledger;
    hooks: Hooks;
    rest: Rest;
    weather: Weather;
    random: Random;
    ids: { next(prefix: string): string };
  };

  constructor(parts: {
    scheduler: Scheduler;
    ledger: Ledger;
    hooks: Hooks;
    rest: Rest;
    weather: Weather;
    random: Random;
    ids: { next(prefix: string): string };
  }) {
    this.#in = parts;
  }

  /** Somebody, or our own SIP leg, calls one of our numbers. */
  comeIn({
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
    person: Person;
    media?: string | null;
  }): SimCall {
    const { ids, hooks } = this.#in;
    const call = this.#open({ kind, legId: null, media }, { from, to, headers, person, viaSip: kind === 'bridge' });
    call.phase = 'ringing';
    hooks.ask(
      call.entry,
      { to: 'answer', jti: hooks.token(), call: { callId: call.entry.id, from, to, viaSip: call.viaSip, headers } },
      (plan) => this.#follow(call, plan),
    );
    void ids;
    return call;
  }

  /** The far end puts the phone down. */
  letGo(call: SimCall, by: EndedBy = 'person'): void {
    if (call.phase === 'over') return;
    this.#over(call, by, call.phase === 'answered' ? verdict('success', 'completed') : verdict('success', 'cancelled'));
  }

  #open(
    { kind, legId, media }: Pick<Entry, 'kind' | 'legId' | 'media'>,
    call: Pick<SimCall, 'from' | 'to' | 'headers' | 'person' | 'viaSip'>,
  ): SimCall {
    const entry = this.#in.ledger.open({ id: this.#in.ids.next('call'), side: 'voice', kind, legId, media });
    const made: SimCall = {
      entry,
      phase: 'started',
      eventsLeg: legId ?? undefined,
      status: verdict('success', 'completed'),
      timer: undefined,
      ...call,
    };
    this.calls.set(entry.id, made);
    return made;
  }

  #tell(call: SimCall, phase: 'started' | 'ringing' | 'answered' | 'over'): void {
    const { hooks, scheduler, weather } = this.#in;
    const hook: Hook = {
      to: 'voice-event',
      jti: hooks.token(),
      legId: call.eventsLeg,
      event: this.#event(call, phase, new Date(scheduler.now), phase === 'over' && !weather.strikes('price-missing')),
    };
    hooks.tell(call.entry, hook);
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
      ...(priced ? { charge: chargeOf(entry) } : {}),
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
      ledger.tell(call.entry, `joins ${join.conversation}`);
      hooks.tell(call.entry, {
        to: 'voice-event',
        jti: hooks.token(),
        legId: legOfUrl(join.eventUrl),
        event: { kind: 'moved', callId: call.entry.id, at: new Date(scheduler.now) },
      });
      call.person.onJoined?.(call);
      return;
    }
    if (ask !== undefined) {
      const { legId, tryNo } = tryOfUrl(ask.replyUrl);
      const keyed = call.person.keys?.(tryNo) ?? null;
      scheduler.after(keyed?.afterMs ?? 15_000, () => {
        if (call.phase === 'over') return;
        hooks.ask(
          call.entry,
          {
            to: 'digits',
            jti: hooks.token(),
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
    call.person.onOver?.(call);
  }

  #place(input: CreateCall): SimCall {
    const { scheduler, hooks } = this.#in;
    const legId = legOfUrl(input.eventUrl);
    this.onCreate?.(input, legId);
    const person = this.phones.get(input.to) ?? {};
    const call = this.#open(
      { kind: 'outbound', legId, media: null },
      { from: input.from, to: input.to, headers: {}, person, viaSip: false },
    );
    this.#tell(call, 'started');
    scheduler.after(800, () => {
      if (call.phase !== 'started') return;
      call.phase = 'ringing';
      this.#tell(call, 'ringing');
      const { picksUpAfter = null } = person;
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
        hooks.ask(
          call.entry,
          {
            to: 'answer-rung',
            jti: hooks.token(),
            legId: legOfUrl(input.answerUrl),
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
    if (scheduler.now - call.entry.createdAt < 2_000 && weather.strikes('early-put-400')) throw tooYoung();
    if (weather.strikes('accepted-but-alive')) {
      touch(call.entry, 'accepted-but-alive');
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
    const entryOf = (callId: string): Entry | null => this.calls.get(callId)?.entry ?? null;
    return {
      kind: 'simulated',
      rateLimitKey: 'account',
      capabilities: { listCalls: true, mute: true, sendDigits: true, say: true },
      renderPlan: (plan) => plan,
      createCall: (input) =>
        rest.request({
          life,
          label: 'create',
          reads: false,
          limit: 'create',
          entry: null,
          act: () => ({ callId: this.#place(input).entry.id }),
          made: ({ callId }) => entryOf(callId),
        }),
      hangUp: (callId) =>
        rest.request({
          life,
          label: 'hang-up',
          reads: false,
          limit: 'rest',
          entry: entryOf(callId),
          asks: true,
          act: () => this.#hangUp(callId),
        }),
      say: () => rest.request({ life, label: 'say', reads: false, limit: 'rest', entry: null, act: () => undefined }),
      sendDigits: () =>
        rest.request({ life, label: 'dtmf', reads: false, limit: 'rest', entry: null, act: () => undefined }),
      mute: () => rest.request({ life, label: 'mute', reads: false, limit: 'rest', entry: null, act: () => undefined }),
      getCall: (callId) =>
        rest.request({
          life,
          label: 'get',
          reads: true,
          limit: 'rest',
          entry: entryOf(callId),
          act: () => {
            const call = this.calls.get(callId);
            if (call === undefined || weather.strikes('wrong-region-404')) return null;
            return this.#observe(call);
          },
        }),
      listLiveCalls: () =>
        rest.request({
          life,
          label: 'list',
          reads: true,
          limit: 'rest',
          entry: null,
          act: () => {
            if (weather.strikes('list-fails')) throw Object.assign(notFound(), { failure: 'busy' });
            const live = [...this.#in.ledger.live.values()].filter((entry) => entry.side === 'voice');
            const all = live.map((entry) => this.#observe(this.calls.get(entry.id)!));
            if (all.length > 0 && weather.strikes('list-omits')) all.splice(random.int(all.length), 1);
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
