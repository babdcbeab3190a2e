import type { Machine } from './machine.ts';

/** Kinds of billable connection. */
export const LEG_KINDS = ['bridge', 'inbound', 'outbound', 'webrtc'] as const;
export type LegKind = (typeof LEG_KINDS)[number];

export const LEG_STATES = ['requested', 'dialling', 'ringing', 'answered', 'joined', 'ending', 'ended'] as const;
export type LegState = (typeof LEG_STATES)[number];

export type LegEvent = 'dialSent' | 'notDialled' | 'ringing' | 'answered' | 'joined' | 'hangUpRequested' | 'closed';

const closed = { next: 'ended', why: 'the provider reports it closed' } as const;
const hangUpRequested = { next: 'ending', why: 'a hang-up is requested' } as const;
const answered = { next: 'answered', why: 'the far end answers' } as const;
const joined = { next: 'joined', why: 'it is in the conference' } as const;

/**
 * The life of a leg. Providers deliver events out of order, so a leg can be answered before it
 * rings. A leg whose dial request got no reply stays `dialling` until an observation arrives. Only
 * `closed`, a stored provider observation, ends a leg: an accepted hang-up is not a closed leg. An
 * answer after the hang-up request (the answered-after-end race) keeps the leg in `ending`, and the
 * hang-up is requested from the provider again.
 */
export const legMachine: Machine<LegState, LegEvent> = {
  name: 'leg',
  initial: 'requested',
  terminal: ['ended'],
  table: {
    requested: {
      dialSent: { next: 'dialling', why: 'the dial is sent to the provider' },
      ringing: { next: 'ringing', why: 'the far end rings' },
      answered,
      joined,
      hangUpRequested,
      closed,
    },
    dialling: {
      notDialled: { next: 'requested', why: 'the provider was busy and placed no call: retry' },
      ringing: { next: 'ringing', why: 'the far end rings' },
      answered,
      joined,
      hangUpRequested,
      closed,
    },
    ringing: { answered, joined, hangUpRequested, closed },
    answered: { joined, hangUpRequested, closed },
    joined: { hangUpRequested, closed },
    ending: {
      answered: { next: 'ending', why: 'answered after the hang-up request: retry the hang-up' },
      joined: { next: 'ending', why: 'joined after the hang-up request: retry the hang-up' },
      closed,
    },
    ended: {},
  },
};

/** Whether the provider may still charge for the leg: true in every state but `ended`. */
export const isUp = (leg: { state: LegState }): boolean => leg.state !== 'ended';

/** Whether a participant (or the bridge) is connected on the leg and no hang-up is requested. */
export const isPresent = (leg: { state: LegState }): boolean => leg.state === 'answered' || leg.state === 'joined';

/**
 * The handles of a leg at the provider. A bridge leg has two, and both must be observed closed.
 */
export interface LegHandles {
  readonly kind: LegKind;
  readonly media_connection_id: string | null;
  readonly media_closed_at: Date | null;
  readonly voice_call_id: string | null;
  readonly voice_closed_at: Date | null;
}

/**
 * Whether every handle of a leg has been observed closed. A bridge leg without an observed voice
 * handle also needs the SIP call reported over: closing the media connection does not stop a SIP
 * call that is still ringing.
 */
export function isClosed(leg: LegHandles, isSipCallOver: boolean): boolean {
  if (leg.kind === 'webrtc') return leg.media_closed_at !== null;
  if (leg.kind !== 'bridge') return leg.voice_closed_at !== null;
  if (leg.media_closed_at === null && leg.media_connection_id !== null) return false;
  return leg.voice_call_id === null ? isSipCallOver : leg.voice_closed_at !== null;
}
