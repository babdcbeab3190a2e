import type { Machine } from './machine.ts';

export const SESSION_STATES = ['open', 'live', 'ending', 'ended'] as const;
export type SessionState = (typeof SESSION_STATES)[number];

export type SessionEvent = 'joined' | 'endDecided' | 'legsClosed';

/** Why a session ended. One door takes them all (design §3.4); the first reason stands. */
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

/** A meeting's life (design §2). `ending` is asked, `ended` is every leg confirmed closed by the provider. */
export const sessionMachine: Machine<SessionState, SessionEvent> = {
  name: 'session',
  initial: 'open',
  terminal: ['ended'],
  table: {
    open: {
      joined: { next: 'live', why: 'first browser or caller' },
      endDecided: { next: 'ending', why: 'ended, or never used' },
    },
    live: {
      joined: { next: 'live', why: 'one more' },
      endDecided: { next: 'ending', why: 'any cause, one door' },
    },
    ending: {
      legsClosed: { next: 'ended', why: 'every leg confirmed ended' },
    },
    ended: {},
  },
};

/** May someone still join? */
export const canJoin = (state: SessionState): boolean => state === 'open' || state === 'live';
