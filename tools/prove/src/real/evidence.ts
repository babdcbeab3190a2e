import type { SessionEvent } from '@partyline/contracts/sessions/session';
import type { InjectedFault } from '@partyline/dev/faults/inject-faults';
import type {
  EmulatorClient,
  LedgerView,
  RestLogEntry,
  WebhookLogEntry,
} from '@partyline/vonage-emulator/control-client';
import type { Decided, LegSeen, SessionSeen, Window } from './oracle.ts';
import type { Held } from './run-meeting.ts';

/** All that is known after a run, from outside: the vendor's ledger and logs, the API's replies, and what we did. */
export interface Evidence {
  readonly ledger: LedgerView;
  readonly webhooks: readonly WebhookLogEntry[];
  readonly requests: readonly RestLogEntry[];
  /** Every session that a reply ever named, with its events. */
  readonly sessions: ReadonlyMap<
    string,
    {
      readonly seen: SessionSeen;
      readonly decided: boolean;
      readonly held: Held;
      readonly events: readonly SessionEvent[];
    }
  >;
  readonly held: readonly Held[];
  readonly windows: readonly Window[];
  /** Sessions that one of their clocks ended. */
  readonly decided: readonly Decided[];
}

/** Ended by somebody's word, whatever the clocks say. */
const BY_WORD = new Set(['ended-by-tenant', 'provider-ended']);

export async function gather(
  vendor: EmulatorClient,
  held: readonly Held[],
  played: readonly InjectedFault[],
): Promise<Evidence> {
  const sessions = new Map<string, { seen: SessionSeen; decided: boolean; held: Held; events: SessionEvent[] }>();
  const decided: Decided[] = [];
  // One at a time: this is no load test, and the database may just have come back.
  for (const each of held) {
    const { session } = await each.tenant.room(each.created.room.id);
    if (session !== null) each.sessions.add(session.id);
    if (session?.endingAt && session.endReason !== null && !BY_WORD.has(session.endReason))
      decided.push({ id: session.id, dueAt: Date.parse(session.dueAt), endingAt: Date.parse(session.endingAt) });
    for (const id of each.sessions) {
      const { events } = await each.tenant.events(id);
      const told = events.find(({ type }) => type === 'session.ending')?.at ?? null;
      const endingAt = session?.id === id ? session.endingAt : told;
      // A tenant who was told that it ends was promised so, whether or not anybody noted it.
      const promisedAt = session?.id === id ? (each.endTakenAt ?? null) : null;
      sessions.set(id, {
        seen: { id, endingAt: endingAt === null ? promisedAt : Date.parse(endingAt) },
        decided: endingAt !== null,
        held: each,
        events,
      });
    }
  }
  const [webhooks, requests] = [await vendor.webhookLog(), await vendor.restLog()];
  const windows = windowsOf(played);
  return { ledger: await vendor.ledger(), webhooks, requests, sessions, held, windows, decided };
}

/** What was played, as windows; one that lasts has no end yet. */
const windowsOf = (played: readonly InjectedFault[]): Window[] =>
  played.map(({ fault, target, startedAt: from, endedAt: until }) => ({
    name: fault.name,
    target,
    class: fault.class,
    from,
    until: until ?? Date.now(),
  }));

/**
 * Gives each leg of the ledger its session: by our own leg's id, which its webhooks' addresses carry; else by the video session, or the
 * conference, that it was in together with legs that are known.
 */
export function legsSeen({ ledger, webhooks, requests, sessions, held }: Evidence): LegSeen[] {
  const sessionOfLeg = new Map<string, SessionSeen>();
  for (const { seen, events } of sessions.values())
    for (const { data } of events) if (typeof data.legId === 'string') sessionOfLeg.set(data.legId, seen);
  const ourLeg = ourLegs(webhooks);
  const byMedia = new Map(
    held.flatMap(({ media }) => [...media].map(([mediaId, id]) => [mediaId, sessions.get(id)?.seen] as const)),
  );
  const byPhone = new Map(held.flatMap((each) => [...each.phones].map((phone) => [phone.slice(1), each] as const)));
  const byConversation = new Map<string, SessionSeen>();
  const known = (leg: LedgerView['legs'][number]): SessionSeen | undefined =>
    sessionOfLeg.get(ourLeg.get(leg.callId ?? '') ?? '');
  for (const leg of ledger.legs) {
    const session = known(leg);
    if (session === undefined) continue;
    if (leg.conversation !== undefined) byConversation.set(leg.conversation, session);
    if (leg.sessionId !== undefined && !byMedia.has(leg.sessionId)) byMedia.set(leg.sessionId, session);
  }
  for (const leg of ledger.legs) {
    const session = leg.conversation === undefined ? undefined : byConversation.get(leg.conversation);
    if (session !== undefined && leg.sessionId !== undefined && !byMedia.has(leg.sessionId))
      byMedia.set(leg.sessionId, session);
  }
  const asks = countAsks(requests);
  const lost = new Set(
    webhooks
      .filter(({ outcome, status }) => outcome !== 'delivered' || (status ?? 0) >= 400)
      .flatMap(({ body }) => body.match(ID) ?? []),
  );
  return ledger.legs.map((leg) => {
    const rung = byPhone.get(leg.to?.replace(/^\+/, '') ?? '');
    const session =
      known(leg) ??
      byMedia.get(leg.sessionId ?? '') ??
      byConversation.get(leg.conversation ?? '') ??
      (rung && onlySession(rung, sessions));
    return { leg, session: session ?? null, asks: asks.get(leg.id) ?? 0, unseen: lost.has(leg.id) };
  });
}

const ID = /[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}/g;

/** Our ids of the vendor's calls: in the addresses that we gave for each. */
function ourLegs(webhooks: readonly WebhookLogEntry[]): Map<string, string> {
  const ours = new Map<string, string>();
  for (const { url, body, response } of webhooks) {
    const callId = /"uuid":"([0-9a-f-]{32,36})"/.exec(body)?.[1];
    const legId = /\/v1\/voice\/(?:answer|digits|events)\/(leg_[\w-]+)/.exec(`${url} ${response ?? ''}`)?.[1];
    if (callId !== undefined && legId !== undefined) ours.set(callId, legId);
  }
  return ours;
}

function countAsks(requests: readonly RestLogEntry[]): Map<string, number> {
  const asks = new Map<string, number>();
  for (const { route, url } of requests) {
    if (route !== 'hangup' && route !== 'disconnect') continue;
    const id = /([0-9a-f-]{32,36})(?:\?.*)?$/.exec(url)?.[1];
    if (id !== undefined) asks.set(id, (asks.get(id) ?? 0) + 1);
  }
  return asks;
}

const onlySession = (held: Held, sessions: Evidence['sessions']): SessionSeen | undefined =>
  held.sessions.size === 1 ? sessions.get([...held.sessions][0]!)?.seen : undefined;
