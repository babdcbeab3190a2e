import { describe, expect, it } from 'vitest';
import { DEFAULT_SESSION } from '../database/default-rows.ts';
import type { LedgerEntry } from '../provider/ledger.ts';
import { ALL_SWEEPS } from '../run.ts';
import { System } from '../system.ts';
import type { Meeting } from '../workload.ts';
import type { FaultEpisode } from './bounds.ts';
import { checkDeadlines } from './check-deadlines.ts';

const SECOND_MS = 1_000;
const FIRST_END_S = 600;
const LAST_END_S = 1_200;

interface Call {
  /** Seconds after the start of the session. */
  readonly prolongedAt?: number;
  readonly endedAt: number;
  readonly endedBy?: LedgerEntry['endedBy'];
  readonly failedMoves?: readonly number[];
  readonly episodes?: readonly FaultEpisode[];
}

/** Judges one call that joined a session of ten minutes at its start. */
function judge({ prolongedAt, endedAt, endedBy = 'deadline', failedMoves, episodes = [] }: Call): {
  violations: readonly string[];
  lost: number;
} {
  const system = new System({ seed: 1, sweeps: ALL_SWEEPS, isSelfHosted: true });
  const startedAt = system.scheduler.now;
  const toTime = (seconds: number): number => startedAt + seconds * SECOND_MS;
  const session = {
    ...DEFAULT_SESSION,
    id: 'ses',
    tenant_id: 'ten',
    room_id: 'room',
    conversation: 'conv',
    media_session_id: 'conv',
    due_at: new Date(toTime(FIRST_END_S)),
    due_reason: 'max-duration' as const,
    created_at: new Date(startedAt),
    state: 'live' as const,
  };
  const meeting: Meeting = {
    tenantId: 'ten',
    roomId: 'room',
    sessionId: 'ses',
    createdAt: startedAt,
    clocks: {
      max_duration_s: FIRST_END_S,
      never_used_s: null,
      browsers_left_s: null,
      phones_left_s: null,
      alone_s: null,
      empty_s: null,
    },
    prolongation: prolongedAt === undefined ? null : { max_duration_s: LAST_END_S, acceptedAt: toTime(prolongedAt) },
    endRequestedAt: null,
    endAcceptedAt: null,
  };
  const entry = system.ledger.open({ id: 'call', handle: 'voice', kind: 'inbound', media: null, legId: null });
  entry.conversation = 'conv';
  entry.joinedAt = startedAt;
  entry.endedAt = toTime(endedAt);
  entry.endedBy = endedBy;
  entry.failedMoves = failedMoves?.map(toTime) ?? null;
  const violations: string[] = [];
  const lost = checkDeadlines(
    system,
    {
      meetings: new Map([['room', meeting]]),
      episodes: episodes.map(({ fault, from, to }) => ({ fault, from: toTime(from), to: toTime(to) })),
      findSession: () => session,
      endDecidedAt: new Map(),
    },
    (rule, _entry, message) => violations.push(`${rule}: ${message}`),
  );
  return { violations, lost };
}

const ofCall = (rule: string): unknown => expect.stringMatching(new RegExp(`^${rule}: inbound call `));

describe('checkDeadlines', () => {
  it('accepts a call that its deadline ends a minute after its session', () => {
    expect(judge({ endedAt: 660 })).toEqual({ violations: [], lost: 0 });
  });

  it('I4: reports a call that was up for longer', () => {
    expect(judge({ endedAt: 663, endedBy: 'user' }).violations).toEqual([ofCall('I4')]);
  });

  it('I6: reports a call that its deadline ends before its session', () => {
    expect(judge({ endedAt: 590 }).violations).toEqual(['I6: call ended by its deadline 10 s too early']);
  });

  it('I6: reports a call whose deadline could have been moved', () => {
    expect(judge({ prolongedAt: 500, endedAt: 660 })).toEqual({ violations: [ofCall('I6')], lost: 0 });
  });

  it('counts a call whose session was prolonged too late', () => {
    expect(judge({ prolongedAt: 580, endedAt: 660 })).toEqual({ violations: [], lost: 1 });
  });

  it.each<Pick<Call, 'failedMoves' | 'episodes'>>([
    { failedMoves: [580] },
    { episodes: [{ fault: 'all-down', from: 520, to: 600 }] },
  ])('counts a call whose deadline could not be moved: %j', (reason) => {
    expect(judge({ prolongedAt: 500, endedAt: 660, ...reason })).toEqual({ violations: [], lost: 1 });
  });

  it('accepts a call that ends with its prolonged session', () => {
    expect(judge({ prolongedAt: 100, endedAt: 1_260 })).toEqual({ violations: [], lost: 0 });
  });
});
