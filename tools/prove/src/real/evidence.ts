import { isDeparture } from '@partyline/domain/session-clock';
import type { SessionEvent } from '@partyline/contracts/sessions/session';
import type { InjectedFault } from '@partyline/dev/faults/inject-faults';
import type {
  EmulatorClient,
  LedgerView,
  RestLogEntry,
  WebhookLogEntry,
} from '@partyline/vonage-emulator/control-client';
import type { ClockExpiry, FaultWindow, LegEvidence, SessionEvidence } from './oracle.ts';
import type { MeetingRecord } from './run-meeting.ts';

interface ObservedSession {
  readonly session: SessionEvidence;
  /** Whether the session or its events state its end. */
  readonly isEndDecided: boolean;
  readonly meeting: MeetingRecord;
  readonly events: readonly SessionEvent[];
}

/**
 * Everything known after a run, from outside: the provider's ledger and logs, API replies, injected
 * faults.
 */
export interface Evidence {
  readonly ledger: LedgerView;
  readonly webhooks: readonly WebhookLogEntry[];
  readonly requests: readonly RestLogEntry[];
  /** Every session of the meetings' rooms, by id. */
  readonly sessions: ReadonlyMap<string, ObservedSession>;
  readonly meetings: readonly MeetingRecord[];
  readonly windows: readonly FaultWindow[];
  /** Sessions that ended by one of their clocks. */
  readonly clockExpiries: readonly ClockExpiry[];
}

/** End reasons that are not a clock of the session. */
const EXPLICIT_END_REASONS = new Set(['ended-by-tenant', 'provider-ended']);

/**
 * Reads the sessions of all meetings from the API, and the ledger and logs of the emulated
 * provider.
 */
export async function gatherEvidence(
  emulator: EmulatorClient,
  meetings: readonly MeetingRecord[],
  faults: readonly InjectedFault[],
): Promise<Evidence> {
  const sessions = new Map<string, ObservedSession>();
  const clockExpiries: ClockExpiry[] = [];
  // Sequential, to keep the load low: the database may have restarted a moment ago.
  for (const meeting of meetings) {
    const { session } = await meeting.tenant.readRoom(meeting.created.room.id);
    // A caller can open a session that ends before the meeting reads the room.
    for (const { id } of (await meeting.tenant.listSessions(meeting.created.room.id)).sessions)
      meeting.sessions.add(id);
    if (session?.endingAt && session.endReason !== null && !EXPLICIT_END_REASONS.has(session.endReason))
      clockExpiries.push({
        id: session.id,
        dueAt: Date.parse(session.dueAt),
        endingAt: Date.parse(session.endingAt),
        isDeparture: isDeparture(session.endReason),
      });
    for (const id of meeting.sessions) {
      const { events } = await meeting.tenant.listEvents(id);
      const endingEventAt = events.find(({ type }) => type === 'session.ending')?.at ?? null;
      const endingAt = session?.id === id ? session.endingAt : endingEventAt;
      // An accepted request to end the room is a promise, even if no row or event states the end.
      const promisedAt = session?.id === id ? (meeting.endAcceptedAt ?? null) : null;
      sessions.set(id, {
        session: {
          id,
          endingAt: endingAt === null ? promisedAt : Date.parse(endingAt),
          requested: {
            createdAt: meeting.requestedAt,
            clocks: meeting.clocks,
            endRequestedAt: meeting.endRequestedAt ?? null,
          },
        },
        isEndDecided: endingAt !== null,
        meeting,
        events,
      });
    }
  }
  return {
    webhooks: await emulator.webhookLog(),
    requests: await emulator.restLog(),
    ledger: await emulator.ledger(),
    sessions,
    meetings,
    windows: toWindows(faults),
    clockExpiries,
  };
}

/** An active fault ends now. */
const toWindows = (faults: readonly InjectedFault[]): FaultWindow[] =>
  faults.map(({ fault, target, startedAt, endedAt }) => ({
    name: fault.name,
    target,
    class: fault.class,
    from: startedAt,
    until: endedAt ?? Date.now(),
  }));

/**
 * Assigns each leg of the ledger to its session: by the leg id in the URLs of its webhooks, else by
 * the video session or the conference that it shares with an assigned leg, else by the dialled
 * number.
 */
export function assignSessions({ ledger, webhooks, requests, sessions, meetings }: Evidence): LegEvidence[] {
  const sessionByLegId = new Map<string, SessionEvidence>();
  for (const { session, events } of sessions.values())
    for (const { data } of events) if (typeof data.legId === 'string') sessionByLegId.set(data.legId, session);
  const legIdByCall = findLegIds(webhooks);
  const byMedia = new Map(
    meetings.flatMap(({ sessionByMedia }) =>
      [...sessionByMedia].map(([mediaId, id]) => [mediaId, sessions.get(id)?.session] as const),
    ),
  );
  const meetingByPhone = new Map(
    meetings.flatMap((meeting) => [...meeting.phones].map((phone) => [phone.slice(1), meeting] as const)),
  );
  const byConversation = new Map<string, SessionEvidence>();
  const findByLegId = (leg: LedgerView['legs'][number]): SessionEvidence | undefined =>
    sessionByLegId.get(legIdByCall.get(leg.callId ?? '') ?? '');
  for (const leg of ledger.legs) {
    const session = findByLegId(leg);
    if (session === undefined) continue;
    if (leg.conversation !== undefined) byConversation.set(leg.conversation, session);
    if (leg.sessionId !== undefined && !byMedia.has(leg.sessionId)) byMedia.set(leg.sessionId, session);
  }
  for (const leg of ledger.legs) {
    const session = leg.conversation === undefined ? undefined : byConversation.get(leg.conversation);
    if (session !== undefined && leg.sessionId !== undefined && !byMedia.has(leg.sessionId))
      byMedia.set(leg.sessionId, session);
  }
  const attempts = countHangUpAttempts(requests);
  const joinedAt = findJoinTimes(webhooks);
  const idsInLostWebhooks = new Set(
    webhooks
      .filter(({ outcome, status }) => outcome !== 'delivered' || (status ?? 0) >= 400)
      .flatMap(({ body }) => body.match(ID_PATTERN) ?? []),
  );
  return ledger.legs.map((leg) => {
    const dialledBy = meetingByPhone.get(leg.to?.replace(/^\+/, '') ?? '');
    const session =
      findByLegId(leg) ??
      byMedia.get(leg.sessionId ?? '') ??
      byConversation.get(leg.conversation ?? '') ??
      (dialledBy && findOnlySession(dialledBy, sessions));
    return {
      leg,
      session: session ?? null,
      joinedAt: joinedAt.get(leg.callId ?? '') ?? null,
      hangUpAttempts: attempts.get(leg.id)?.count ?? 0,
      lastHangUpAttemptAt: attempts.get(leg.id)?.lastAt ?? null,
      hasLostWebhook: idsInLostWebhooks.has(leg.id),
    };
  });
}

const ID_PATTERN = /[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}/g;

/** Leg ids by provider call id, from the URLs that the platform sent for each call. */
function findLegIds(webhooks: readonly WebhookLogEntry[]): Map<string, string> {
  const legIdByCall = new Map<string, string>();
  for (const { url, body, response } of webhooks) {
    const callId = /"uuid":"([0-9a-f-]{32,36})"/.exec(body)?.[1];
    const legId = /\/v1\/voice\/(?:answer|digits|events)\/(leg_[\w-]+)/.exec(`${url} ${response ?? ''}`)?.[1];
    if (callId !== undefined && legId !== undefined) legIdByCall.set(callId, legId);
  }
  return legIdByCall;
}

/** When calls joined a conference, by call id, from the first attempt of each such webhook. */
function findJoinTimes(webhooks: readonly WebhookLogEntry[]): Map<string, number> {
  const joinedAt = new Map<string, number>();
  for (const { kind, at, body } of webhooks) {
    const callId = kind === 'transfer' ? /"uuid":"([0-9a-f-]{32,36})"/.exec(body)?.[1] : undefined;
    if (callId !== undefined && !joinedAt.has(callId)) joinedAt.set(callId, at);
  }
  return joinedAt;
}

function countHangUpAttempts(requests: readonly RestLogEntry[]): Map<string, { count: number; lastAt: number }> {
  const attempts = new Map<string, { count: number; lastAt: number }>();
  for (const { route, url, at } of requests) {
    if (route !== 'hangup' && route !== 'disconnect') continue;
    const id = /([0-9a-f-]{32,36})(?:\?.*)?$/.exec(url)?.[1];
    if (id !== undefined) attempts.set(id, { count: (attempts.get(id)?.count ?? 0) + 1, lastAt: at });
  }
  return attempts;
}

const findOnlySession = (meeting: MeetingRecord, sessions: Evidence['sessions']): SessionEvidence | undefined =>
  meeting.sessions.size === 1 ? sessions.get([...meeting.sessions][0]!)?.session : undefined;
