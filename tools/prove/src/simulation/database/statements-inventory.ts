import type { SessionRow } from '@partyline/store/sessions/session-lock';
import { accountColumns } from './default-rows.ts';
import { latestEnd } from './sql-functions.ts';
import { returnRows, returnCount, type StatementTwin } from './statement-twin.ts';

/** The statements of the inventory and the hang-up ledger. */
export const INVENTORY_TWINS: Readonly<Record<string, StatementTwin>> = {
  // The simulation has only the platform's account.
  'accounts-to-sweep': () => returnRows([]),
  'find-calls': (tables, [ids, account]) =>
    returnRows(
      [...new Set(ids as readonly string[])].flatMap((call) => {
        const leg = tables.legs.get(tables.legByCall.get(call) ?? '');
        if (leg === undefined || leg.account_id !== account) return [];
        const { id, tenant_id, session_id, state, voice_missing_lists, hangup_requested_at } = leg;
        const session = tables.sessions.get(session_id ?? '');
        const room = tables.rooms.get(session?.room_id ?? '');
        return [
          {
            voice_call_id: call,
            id,
            tenant_id,
            session_id,
            state,
            voice_missing_lists,
            hangup_requested_at,
            session_state: session?.state ?? null,
            session_deadline: session && room ? latestEnd(session, room) : null,
          },
        ];
      }),
    ),
  'missing-calls': (tables, [live, older, limit, account], { now }) => {
    const listed = new Set(live as readonly string[]);
    const before = now.getTime() - Number(older) * 1000;
    const legs = [...tables.liveLegs].map((id) => tables.legs.get(id)!);
    const missing = legs.filter(
      (leg) =>
        leg.account_id === account &&
        leg.voice_call_id !== null &&
        leg.voice_closed_at === null &&
        leg.created_at.getTime() < before &&
        !listed.has(leg.voice_call_id),
    );
    return returnRows(
      missing
        .toSorted(
          (a, b) => b.voice_missing_lists - a.voice_missing_lists || a.created_at.getTime() - b.created_at.getTime(),
        )
        .slice(0, Number(limit))
        .map(({ id, tenant_id, session_id, voice_call_id }) => ({ id, tenant_id, session_id, voice_call_id })),
    );
  },
  'find-dials-without-call': (tables, [numbers, account], { now }) => {
    const wanted = new Set(numbers as readonly string[]);
    const isRecent = (at: Date | null): boolean => at !== null && at.getTime() > now.getTime() - 600_000;
    const dials = [...tables.dialsWithoutCall]
      .map((id) => tables.legs.get(id)!)
      .filter(
        (leg) =>
          leg.account_id === account &&
          leg.dialled_at !== null &&
          wanted.has(leg.remote!) &&
          (leg.state !== 'ended' || isRecent(leg.ended_at)),
      );
    return returnRows(dials.map(({ id, remote, state }) => ({ id, remote, up: state !== 'ended' })));
  },
  'find-unobserved': (tables, [listedAt, after, limit, account]) => {
    const before = (listedAt as Date).getTime() - Number(after) * 1000;
    const legs = [...tables.endingLegs]
      .map((id) => tables.legs.get(id)!)
      .filter(
        (leg) =>
          leg.account_id === account &&
          leg.voice_call_id === null &&
          leg.dialled_at !== null &&
          leg.dialled_at.getTime() <= before,
      );
    legs.sort((a, b) => a.dialled_at!.getTime() - b.dialled_at!.getTime() || (a.id < b.id ? -1 : 1));
    return returnRows(
      legs.slice(0, Number(limit)).map(({ id, tenant_id, session_id, kind }) => ({ id, tenant_id, session_id, kind })),
    );
  },
  'list-media': (tables, [afterEnd, limit, account], { now }) => {
    const at = now.getTime();
    const listed: SessionRow[] = [];
    for (const id of tables.sessionsWithMedia) {
      const row = tables.sessions.get(id);
      if (row === undefined || row.media_session_id === null || row.account_id !== account) continue;
      const until = row.created_at.getTime() + tables.rooms.get(row.room_id)!.max_duration_s * 1000;
      if (
        row.state !== 'ended' ||
        (row.ended_at !== null && row.ended_at.getTime() > at - Number(afterEnd) * 1000) ||
        until > at
      )
        listed.push(row);
      // Too old to be listed again, whatever commits a failover loses.
      else if (until < at - 3_600_000 && row.ended_at !== null && row.ended_at.getTime() < at - 3_600_000)
        tables.sessionsWithMedia.delete(id);
    }
    const rank = ({ state }: SessionRow): number =>
      state === 'live' || state === 'ending' ? 0 : state === 'open' ? 1 : 2;
    listed.sort((a, b) => rank(a) - rank(b) || b.created_at.getTime() - a.created_at.getTime());
    return returnRows(
      listed
        .slice(0, Number(limit))
        .map(({ id, tenant_id, media_session_id, state }) => ({ id, tenant_id, media_session_id, state })),
    );
  },
  'connections-of-session': (tables, [session, tenant]) =>
    returnRows(
      (tables.legsOfSession.get(session as string) ?? [])
        .filter((id) => tables.legs.get(id)!.tenant_id === tenant)
        .map((id) => {
          const {
            kind,
            state,
            media_connection_id,
            voice_call_id,
            media_missing_since,
            media_closed_at,
            answered_at,
            ended_at,
            created_at,
          } = tables.legs.get(id)!;
          return {
            id,
            kind,
            state,
            media_connection_id,
            voice_call_id,
            media_missing_since,
            media_closed_at,
            answered_at,
            ended_at,
            created_at,
          };
        }),
    ),
  'read-clock': (_tables, _values, { clock }) => returnRows([{ now: clock }]),
  'record-orphan-calls': (tables, [observed, quarantine, account], { now }) => {
    const ids = [...new Set(observed as readonly string[])];
    for (const orphan of tables.orphanCalls.values())
      if (!ids.includes(orphan.id) && orphan.hangup_attempted_at === null && orphan.account_id === account)
        tables.put(tables.orphanCalls, orphan.id, undefined);
    for (const id of ids) {
      const before = tables.orphanCalls.get(id);
      const isDue = before !== undefined && before.first_seen_at.getTime() <= now.getTime() - Number(quarantine) * 1000;
      tables.put(
        tables.orphanCalls,
        id,
        before === undefined
          ? {
              id,
              first_seen_at: now,
              last_seen_at: now,
              sweeps: 1,
              hangup_attempted_at: null,
              false_kill_at: null,
              ...accountColumns(account as string | null),
            }
          : {
              ...before,
              sweeps: before.sweeps + 1,
              last_seen_at: now,
              hangup_attempted_at: before.hangup_attempted_at ?? (isDue ? now : null),
            },
      );
    }
    return returnRows(
      ids.filter((id) => tables.orphanCalls.get(id)!.hangup_attempted_at !== null).map((id) => ({ id })),
    );
  },
  'find-false-kills': (tables, [account], { now }) => {
    const found: object[] = [];
    for (const orphan of tables.orphanCalls.values()) {
      const leg = tables.legs.get(tables.legByCall.get(orphan.id) ?? '');
      const session = tables.sessions.get(leg?.session_id ?? '');
      const { hangup_attempted_at: attemptedAt } = orphan;
      if (
        attemptedAt === null ||
        orphan.false_kill_at !== null ||
        leg === undefined ||
        orphan.account_id !== account ||
        leg.account_id !== account
      )
        continue;
      const isLater = (at: Date | null): boolean => at === null || at > attemptedAt;
      const isObservedEnd = leg.hangup_requested_at === null && leg.ended_at !== null && leg.ended_at <= attemptedAt;
      if (
        !isObservedEnd &&
        (session === undefined ||
          !isLater(leg.hangup_requested_at) ||
          !isLater(leg.ended_at) ||
          !isLater(session.ending_at))
      )
        continue;
      tables.put(tables.orphanCalls, orphan.id, { ...orphan, false_kill_at: now });
      found.push({ call_id: orphan.id, leg_id: leg.id, kind: leg.kind });
    }
    return returnRows(found);
  },
  'record-attempt': (tables, [tenant, leg, no, at, stored]) => {
    const key = `${leg as string} ${no as number}`;
    const oldest = `${leg as string} ${Number(no) - Number(stored)}`;
    if (tables.hangUpAttempts.get(oldest)?.tenant_id === tenant) tables.put(tables.hangUpAttempts, oldest, undefined);
    if (tables.hangUpAttempts.has(key)) return returnCount(0);
    tables.put(tables.hangUpAttempts, key, {
      tenant_id: tenant as string | null,
      leg_id: leg as string,
      no: Number(no),
      at: at as Date,
      outcome: null,
      reason: null,
    });
    return returnCount(1);
  },
  'last-attempts': (tables, [tenant, leg, no, limit], { now }) => {
    const before = [...Array(Number(no) - 1).keys()]
      .map((n) => tables.hangUpAttempts.get(`${leg as string} ${n + 1}`))
      .filter((row) => row !== undefined && row.tenant_id === tenant);
    return returnRows(
      before
        .toReversed()
        .slice(0, Number(limit))
        .map((row) => ({ outcome: row!.outcome, reason: row!.reason, age_ms: now.getTime() - row!.at.getTime() })),
    );
  },
  'close-attempt': (tables, [tenant, leg, no, outcome, reason, at]) => {
    const key = `${leg as string} ${no as number}`;
    const before = tables.hangUpAttempts.get(key);
    if (before === undefined || before.tenant_id !== tenant) return returnCount(0);
    tables.put(tables.hangUpAttempts, key, {
      ...before,
      at: at as Date,
      outcome: outcome as string,
      reason: reason as string | null,
    });
    return returnCount(1);
  },
  'purge-orphan-calls': (tables, [limit], { now }) => {
    const old = [...tables.orphanCalls.values()]
      .filter((orphan) => orphan.last_seen_at.getTime() < now.getTime() - 86_400_000)
      .toSorted((a, b) => a.last_seen_at.getTime() - b.last_seen_at.getTime())
      .slice(0, Number(limit));
    for (const { id } of old) tables.put(tables.orphanCalls, id, undefined);
    return returnCount(old.length);
  },
};
