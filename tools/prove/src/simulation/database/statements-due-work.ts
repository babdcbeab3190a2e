import type { LegRow } from '@partyline/store/legs/legs';
import type { SessionRow } from '@partyline/store/sessions/session-lock';
import { returnCount, returnRow, returnRows, type StatementResult, type StatementTwin } from './statement-twin.ts';
import type { Tables } from './tables.ts';

interface DueRow {
  readonly id: string;
  readonly tenant_id: string | null;
  /** When the work became due, in milliseconds. */
  readonly since: number;
}

const returnOldest = (due: readonly DueRow[], limit: unknown): StatementResult =>
  returnRows(
    due
      .toSorted((a, b) => a.since - b.since)
      .slice(0, Number(limit))
      .map(({ id, tenant_id }) => ({ tenant_id, id })),
  );

const isUnleased = ({ lease_until }: LegRow, now: Date): boolean => lease_until === null || lease_until <= now;
const isEnding = ({ state }: LegRow): boolean => state === 'ending';
const listLegs = (tables: Tables, ids: Iterable<string>): LegRow[] => [...ids].map((id) => tables.legs.get(id)!);
const listSessions = (tables: Tables, ids: Iterable<string>): SessionRow[] =>
  [...ids].map((id) => tables.sessions.get(id)!);

/** The reconciler's lists of due work, and the statements of tenants and purges around them. */
export const DUE_WORK_TWINS: Readonly<Record<string, StatementTwin>> = {
  'due-settle': (tables, [grace, limit], { now }) => {
    const before = now.getTime() - Number(grace) * 1000;
    const due = new Map<string, DueRow>();
    const add = (id: string, tenant_id: string | null, since: number): void => {
      if (since < (due.get(id)?.since ?? Infinity)) due.set(id, { id, tenant_id, since });
    };
    for (const { id, tenant_id, settle_due_at } of listSessions(tables, tables.settleDue))
      if (settle_due_at!.getTime() < before) add(id, tenant_id, settle_due_at!.getTime());
    for (const { session_id, tenant_id, dialled_at } of listLegs(tables, tables.diallingLegs))
      if (dialled_at !== null && dialled_at.getTime() < before - 90_000)
        add(session_id!, tenant_id, dialled_at.getTime());
    return returnOldest([...due.values()], limit);
  },
  'due-overdue': (tables, [grace, limit], { now }) => {
    const before = now.getTime() - Number(grace) * 1000;
    const due = listSessions(tables, tables.runningSessions).flatMap(({ id, tenant_id, due_at, room_id }) => {
      const roomEnded = tables.rooms.get(room_id)?.ended_at?.getTime() ?? Infinity;
      const since = Math.min(
        due_at.getTime() < before ? due_at.getTime() : Infinity,
        roomEnded < before && roomEnded > now.getTime() - 86_400_000 ? roomEnded : Infinity,
      );
      return since === Infinity ? [] : [{ id, tenant_id, since }];
    });
    return returnOldest(due, limit);
  },
  'due-suspended': (tables, [grace, limit], { now }) => {
    const before = now.getTime() - Number(grace) * 1000;
    const due = listSessions(tables, tables.runningSessions).flatMap(({ id, tenant_id }) => {
      const since = tables.tenants.get(tenant_id)?.suspended_at?.getTime() ?? Infinity;
      return since < before ? [{ id, tenant_id, since }] : [];
    });
    return returnOldest(due, limit);
  },
  'suspend-tenant': (tables, [id], { now }) => {
    const tenant = tables.tenants.get(id as string);
    if (tenant === undefined) return returnCount(0);
    const suspended = { ...tenant, suspended_at: tenant.suspended_at ?? now };
    tables.put(tables.tenants, id as string, suspended);
    return returnRow({ id: id as string, ...suspended });
  },
  'resume-tenant': (tables, [id]) => {
    const tenant = tables.tenants.get(id as string);
    if (tenant === undefined) return returnCount(0);
    tables.put(tables.tenants, id as string, { ...tenant, suspended_at: null });
    return returnRow({ id: id as string, suspended_at: null });
  },
  'running-sessions': (tables, [tenant, limit]) =>
    returnRows(
      listSessions(tables, tables.runningSessions)
        .filter((row) => row.tenant_id === tenant)
        .toSorted((a, b) => a.created_at.getTime() - b.created_at.getTime())
        .slice(0, Number(limit))
        .map(({ id }) => ({ id })),
    ),
  'purge-idempotency-keys': () => returnCount(0),
  'purge-audit': () => returnCount(0),
  // The numbers of the simulation have no PIN guard, so nothing is added up.
  'purge-guess-days': () => returnCount(0),
  'due-ending': (tables, [grace, limit], { now }) => {
    const before = now.getTime() - Number(grace) * 1000;
    const due = listSessions(tables, tables.endingSessions).flatMap((row) => {
      const ending = listLegs(tables, tables.legsOfSession.get(row.id) ?? []).filter(isEnding);
      const isDue =
        row.ending_at !== null &&
        row.ending_at.getTime() < before &&
        (ending.length === 0 || ending.some((leg) => isUnleased(leg, now)));
      if (!isDue) return [];
      // A session without an ending leg can be concluded at once, and so comes first.
      const attemptedAt =
        ending.length === 0 ? -2 : Math.min(...ending.map((leg) => leg.hangup_attempted_at?.getTime() ?? -1));
      return [{ row, attemptedAt }];
    });
    return returnRows(
      due
        .toSorted((a, b) => a.attemptedAt - b.attemptedAt || a.row.ending_at!.getTime() - b.row.ending_at!.getTime())
        .slice(0, Number(limit))
        .map(({ row: { tenant_id, id } }) => ({ tenant_id, id })),
    );
  },
  'due-bridge': (tables, [grace, limit], { now }) => {
    const before = now.getTime() - Number(grace) * 1000;
    const due = listSessions(tables, tables.bridgeDue).flatMap(({ id, tenant_id, bridge_due_at }) => {
      const since = bridge_due_at?.getTime() ?? Infinity;
      return since < before ? [{ id, tenant_id, since }] : [];
    });
    return returnOldest(due, limit);
  },
  'due-hang-up-legs': (tables, [grace, limit], { now }) => {
    const before = now.getTime() - Number(grace) * 1000;
    const unadmitted = listLegs(tables, tables.unadmittedLegs)
      .filter((leg) => leg.deadline_at.getTime() < before)
      .map((leg) => ({ leg, since: leg.deadline_at.getTime() }));
    const requested = listLegs(tables, tables.endingLegs).flatMap((leg) => {
      const session = tables.sessions.get(leg.session_id ?? '');
      const since = leg.hangup_requested_at?.getTime() ?? Infinity;
      return session !== undefined && session.state !== 'ending' && since < before ? [{ leg, since }] : [];
    });
    const attemptedAt = (leg: LegRow): number => leg.hangup_attempted_at?.getTime() ?? -1;
    return returnRows(
      [...unadmitted, ...requested]
        .filter(({ leg }) => isUnleased(leg, now))
        .toSorted((a, b) => attemptedAt(a.leg) - attemptedAt(b.leg) || a.since - b.since)
        .slice(0, Number(limit))
        .map(({ leg: { tenant_id, id } }) => ({ tenant_id, id })),
    );
  },
  'due-unanswered-bridges': (tables, [grace, limit], { now }) => {
    const before = now.getTime() - Number(grace) * 1000;
    const due = listLegs(tables, tables.diallingLegs).filter(
      (leg) =>
        leg.kind === 'bridge' &&
        leg.state === 'dialling' &&
        leg.media_connection_id === null &&
        leg.voice_call_id === null &&
        (leg.lease_until?.getTime() ?? (leg.dialled_at?.getTime() ?? Infinity) + 15_000) < before,
    );
    return returnRows(
      due
        .toSorted((a, b) => a.dialled_at!.getTime() - b.dialled_at!.getTime())
        .slice(0, Number(limit))
        .map(({ id, tenant_id, session_id }) => ({ tenant_id, session_id, id })),
    );
  },
  'due-dial': (tables, [grace, limit], { now }) => {
    const before = now.getTime() - Number(grace) * 1000;
    const due = listLegs(tables, tables.legsToDial)
      .filter((leg) => leg.created_at.getTime() < before && isUnleased(leg, now))
      .map(({ id, tenant_id, created_at }) => ({ id, tenant_id, since: created_at.getTime() }));
    return returnOldest(due, limit);
  },
  'due-rooms': (tables, [grace, limit], { now }) => {
    const before = now.getTime() - Number(grace) * 1000;
    const due = [...tables.roomsWithExpiryCheck.keys()].flatMap((roomId) => {
      const { id, tenant_id, state, expiry_check_at } = tables.rooms.get(roomId)!;
      const since = expiry_check_at?.getTime() ?? Infinity;
      return state === 'active' && since < before ? [{ id, tenant_id, since }] : [];
    });
    return returnOldest(due, limit);
  },
};
