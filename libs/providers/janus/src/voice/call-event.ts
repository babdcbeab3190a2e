import { verdict, type Verdict } from '@partyline/domain/verdict';
import type { VoiceEvent } from '@partyline/provider-contract/provider-event';
import type { ObservedCall } from '@partyline/provider-contract/voice-provider';
import { callWebhook, type CallCause, type CallView } from '../wire.ts';

const BY_CAUSE: Readonly<Record<Exclude<CallCause, 'failed'>, Verdict>> = {
  'hung-up': verdict('success', 'completed'),
  cancelled: verdict('success', 'cancelled'),
  busy: verdict('client', 'busy'),
  rejected: verdict('client', 'rejected'),
  unanswered: verdict('client', 'unanswered'),
  unroutable: verdict('client', 'no-such-number'),
  'media-timeout': verdict('upstream', 'media-timeout'),
  'max-duration': verdict('success', 'max-duration'),
  'gateway-lost': verdict('server', 'gateway-lost'),
};

/** Returns why a call is over. */
export function verdictOfEnd(cause: CallCause | undefined, sipCode: number | undefined): Verdict {
  if (cause !== undefined && cause !== 'failed') return BY_CAUSE[cause];
  return sipCode === undefined ? verdict('indeterminate', 'unexplained') : verdict('upstream', `sip-${sipCode}`);
}

type CallFacts = Pick<CallView, 'callId' | 'phase' | 'at' | 'cause' | 'sipCode'>;

const toEvent = ({ callId, phase, at, cause, sipCode }: CallFacts): VoiceEvent => ({
  kind: 'call',
  callId,
  phase,
  ...(phase === 'over' ? { verdict: verdictOfEnd(cause, sipCode) } : {}),
  at: at === null ? null : new Date(at),
});

/** Parses an event webhook. An unknown event gives `unknown`. */
export function parseEvent(body: unknown): VoiceEvent {
  const parsed = callWebhook.safeParse(body);
  if (!parsed.success) return { kind: 'unknown', name: 'unnamed' };
  const event = parsed.data;
  switch (event.kind) {
    case 'call':
      return toEvent(event);
    case 'moved':
      return { kind: 'moved', callId: event.callId, at: new Date(event.at) };
    case 'problem':
      return event;
    default:
      return event satisfies never;
  }
}

/** The deadline of a call is so long after the session's, which Partyline ends first, with its own reason. */
export const DEADLINE_MARGIN_S = 60;

/** Converts a call as its gateway shows it. */
export const toObservedCall = (view: CallView): ObservedCall => ({
  callId: view.callId,
  over: view.phase === 'over',
  calledNumber: view.direction === 'outbound' ? view.to : null,
  ...(view.endsAt !== undefined && { deadline: new Date(Date.parse(view.endsAt) - DEADLINE_MARGIN_S * 1_000) }),
  event: toEvent(view),
});
