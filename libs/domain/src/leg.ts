import type { Machine } from './machine.ts';

/** One billable connection, by what it joins (design §2). */
export const LEG_KINDS = ['bridge', 'inbound', 'outbound', 'webrtc'] as const;
export type LegKind = (typeof LEG_KINDS)[number];

export const LEG_STATES = ['requested', 'dialling', 'ringing', 'answered', 'joined', 'ending', 'ended'] as const;
export type LegState = (typeof LEG_STATES)[number];

export type LegEvent = 'dialSent' | 'notDialled' | 'ringing' | 'answered' | 'joined' | 'hangUpOwed' | 'closed';

const closed = { next: 'ended', why: 'the provider was seen to have ended it' } as const;
const owed = { next: 'ending', why: 'a hang-up is owed' } as const;
const answered = { next: 'answered', why: 'picked up' } as const;
const joined = { next: 'joined', why: 'is in the conference' } as const;

/**
 * A leg's life. Providers deliver out of order, so a leg may be seen answered before it rings, and a leg whose dial request got no reply
 * stays `dialling`, its fate unknown, until something is observed. Only `closed`, a stored provider observation, ends a leg: asked is
 * not done (design §3.3). A leg that is answered after its hang-up was owed (the answered-after-end race) is asked again.
 */
export const legMachine: Machine<LegState, LegEvent> = {
  name: 'leg',
  initial: 'requested',
  terminal: ['ended'],
  table: {
    requested: {
      dialSent: { next: 'dialling', why: 'the provider was asked to make it' },
      ringing: { next: 'ringing', why: 'the far end rings' },
      answered,
      joined,
      hangUpOwed: owed,
      closed,
    },
    dialling: {
      notDialled: { next: 'requested', why: 'the provider was busy and made nothing: try again' },
      ringing: { next: 'ringing', why: 'the far end rings' },
      answered,
      joined,
      hangUpOwed: owed,
      closed,
    },
    ringing: { answered, joined, hangUpOwed: owed, closed },
    answered: { joined, hangUpOwed: owed, closed },
    joined: { hangUpOwed: owed, closed },
    ending: {
      answered: { next: 'ending', why: 'picked up after its end was decided: ask again' },
      joined: { next: 'ending', why: 'joined after its end was decided: ask again' },
      closed,
    },
    ended: {},
  },
};

/** May the provider still be charging for it? Everything but `ended`, since asked is not done. */
export const isUp = (leg: { state: LegState }): boolean => leg.state !== 'ended';

/** Is somebody (or the bridge) on it who is not about to be let go? */
export const isPresent = (leg: { state: LegState }): boolean => leg.state === 'answered' || leg.state === 'joined';

/** A leg's sides at the provider: a bridge has two, and both must be seen closed (design §2). */
export interface LegHandles {
  readonly kind: LegKind;
  readonly media_connection_id: string | null;
  readonly media_closed_at: Date | null;
  readonly voice_call_id: string | null;
  readonly voice_closed_at: Date | null;
}

/**
 * Are all handles of a leg seen closed?
 * A bridge whose voice side was never seen is closed with its media side only if the SIP call itself was reported over
 * (`sipOver`): disconnecting the stream does not stop a call that is still ringing.
 */
export function isClosed(leg: LegHandles, sipOver: boolean): boolean {
  if (leg.kind === 'webrtc') return leg.media_closed_at !== null;
  if (leg.kind !== 'bridge') return leg.voice_closed_at !== null;
  if (leg.media_closed_at === null && leg.media_connection_id !== null) return false;
  return leg.voice_call_id === null ? sipOver : leg.voice_closed_at !== null;
}
