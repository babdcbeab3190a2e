import type { Machine } from './machine.ts';

export const SESSION_STATES = ['open', 'live', 'ending', 'ended'] as const;
export type SessionState = (typeof SESSION_STATES)[number];

export type SessionEvent = 'joined' | 'endDecided' | 'legsClosed';

/**
 * Reasons for the end of a session. All go through one function; the first
 * reason is kept.
 */
export const END_REASONS = [
  'ended-by-tenant',
  'browsers-left',
  'phones-left',
  'host-left',
  'alone',
  'empty',
  'never-used',
  'max-duration',
  'schedule-ended',
  'room-expired',
  'provider-ended',
  'tenant-suspended',
  'spend-limit',
] as const;
export type EndReason = (typeof END_REASONS)[number];

/**
 * The life of a session. `ending`: hang-ups are requested. `ended`: the provider
 * confirmed every leg closed.
 */
export const sessionMachine: Machine<SessionState, SessionEvent> = {
  name: 'session',
  initial: 'open',
  terminal: ['ended'],
  table: {
    open: {
      joined: { next: 'live', why: 'the first browser or caller joins' },
      endDecided: { next: 'ending', why: 'ended by request, or never used' },
    },
    live: {
      joined: { next: 'live', why: 'a further participant joins' },
      endDecided: { next: 'ending', why: 'any end reason' },
    },
    ending: {
      legsClosed: { next: 'ended', why: 'every leg is confirmed closed' },
    },
    ended: {},
  },
};

/** Whether a participant can still join. */
export const canJoin = (state: SessionState): boolean => state === 'open' || state === 'live';
