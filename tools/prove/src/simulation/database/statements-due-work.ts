import type { LegRow } from '@partyline/store/legs/legs';
import type { SessionRow } from '@partyline/store/sessions/session-lock';
import { returnRows, returnCount, returnRow, type StatementResult, type StatementTwin } from './statement-twin.ts';

/** What is owed, the oldest first. */
const returnOldest = (owing: readonly { id: string; tenant_id: string | null; since: number }[], limit: unknown): StatementResult =>
  returnRows(
    owing
      .toSorted((a, b) => a.since - b.since)
      .slice(0, Number(limit))
      .map(({ id, tenant_id }) => ({ tenant_id, id })),
  );
const owedSessions =
  (set: Set<string>, at: (row: SessionRow) => Date | null): StatementTwin =>
  (tables, [grace, limit], { now }) => {
    const before = now.getTime() - Number(grace) * 1000;
    const owing = [...set].flatMap((id) => {
      const row = tables.sessions.get(id)!;
      const due = at(row)?.getTime() ?? Infinity;
      return due < before ? [{ id, tenant_id: row.tenant_id, since: due }] : [];
    });
    return returnOldest(owing, limit);
  };
const owed =
  (which: 'settleOwed' | 'running' | 'ending' | 'bridgeOwed', at: (row: SessionRow) => Date | null): StatementTwin =>
  (tables, values, when, text) =>
    owedSessions(tables[which], at)(tables, values, when, text);

const isUnleased = ({ lease_until }: LegRow, now: Date): boolean => lease_until === null || lease_until <= now;

/** What the reconciler asks: what is owed, and to whom. */
export const DUE_WORK_TWINS: Readonly<Record<string, StatementTwin>> = {
  'due-settle': (tables, [grace, limit], { now }) => {
    const before = now.getTime() - Number(grace) * 1000;
    const touched = [...tables.settleDue]
      .map((id) => tables.sessions.get(id)!)
      .filter((row) => row.settle_due_at!.getTime() < before);
    const unheard = [...tables.diallingLegs]
      .map((id) => tables.legs.get(id)!)
      .filter((leg) => leg.dialled_at !== null && leg.dialled_at.getTime() < before - 90_000);
    const owing = new Map<string, { id: string; tenant_id: string | null; since: number }>();
    const note = (id: string, tenant_id: string | null, since: number): void => {
      if (since < (owing.get(id)?.since ?? Infinity)) owing.set(id, { id, tenant_id, since });
    };
    for (const row of touched) note(row.id, row.tenant_id, row.settle_due_at!.getTime());
    for (const leg of unheard) note(leg.session_id!, leg.tenant_id, leg.dialled_at!.getTime());
    return returnOldest([...owing.values()], limit);
  },
  'due-overdue': (tables, [grace, limit], { now }) => {
    const before = now.getTime() - Number(grace) * 1000;
    const owing = [...tables.runningSessions].flatMap((id) => {
      const { tenant_id, due_at, room_id } = tables.sessions.get(id)!;
      const ended = tables.rooms.get(room_id)?.ended_at?.getTime() ?? Infinity;
      const left = ended < before && ended > now.getTime() - 86_400_000 ? ended : Infinity;
      const since = Math.min(due_at.getTime() < before ? due_at.getTime() : Infinity, left);
      return since === Infinity ? [] : [{ id, tenant_id, since }];
    });
    return returnOldest(owing, limit);
  },
  'due-suspended': (tables, [grace, limit], { now }) => {
    const before = now.getTime() - Number(grace) * 1000;
    const owing = [...tables.runningSessions].flatMap((id) => {
      const { tenant_id } = tables.sessions.get(id)!;
      const since = tables.tenants.get(tenant_id)?.suspended_at?.getTime() ?? Infinity;
      return since < before ? [{ id, tenant_id, since }] : [];
    });
    return returnOldest(owing, limit);
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
      [...tables.runningSessions]
        .map((id) => tables.sessions.get(id)!)
        .filter((row) => row.tenant_id === tenant)
        .toSorted((a, b) => a.created_at.getTime() - b.created_at.getTime())
        .slice(0, Number(limit))
        .map(({ id }) => ({ id })),
    ),
  'purge-idempotency-keys': () => returnCount(0),
  'purge-audit': () => returnCount(0),
  'due-ending': (tables, [grace, limit], { now }) => {
    const before = now.getTime() - Number(grace) * 1000;
    const late = [...tables.endingSessions]
      .map((id) => tables.sessions.get(id)!)
      .filter((row) => {
        const ending = (tables.legsOfSession.get(row.id) ?? [])
          .map((id) => tables.legs.get(id)!)
          .filter((leg) => leg.state === 'ending');
        return (
          row.ending_at !== null &&
          row.ending_at.getTime() < before &&
          (ending.length === 0 || ending.some((leg) => isUnleased(leg, now)))
        );
      });
    const asked = new Map(
      late.map((row) => [
        row.id,
        Math.min(
          Infinity,
          ...(tables.legsOfSession.get(row.id) ?? [])
            .map((id) => tables.legs.get(id)!)
            .filter((leg) => leg.state === 'ending')
            .map((leg) => leg.hangup_attempted_at?.getTime() ?? -1),
        ),
      ]),
    );
    // Without a leg that is ending: to be concluded, and so first.
    const turn = (row: SessionRow): number => (asked.get(row.id) === Infinity ? -2 : asked.get(row.id)!);
    const inTurn = late.toSorted((a, b) => turn(a) - turn(b) || a.ending_at!.getTime() - b.ending_at!.getTime());
    return returnRows(inTurn.slice(0, Number(limit)).map(({ tenant_id, id }) => ({ tenant_id, id })));
  },
  'due-bridge': owed('bridgeOwed', (row) => row.bridge_due_at),
  'due-hang-up-legs': (tables, [grace, limit], { now }) => {
    const before = now.getTime() - Number(grace) * 1000;
    const late = [...tables.unadmittedLegs]
      .map((id) => tables.legs.get(id)!)
      .filter((leg) => leg.deadline_at.getTime() < before);
    const letGo = [...tables.endingLegs]
      .map((id) => tables.legs.get(id)!)
      .filter((leg) => {
        const session = tables.sessions.get(leg.session_id ?? '');
        return (
          session !== undefined && session.state !== 'ending' && leg.hangup_requested_at !== null && leg.hangup_requested_at.getTime() < before
        );
      });
    const owing = [
      ...late.map((leg) => ({ leg, since: leg.deadline_at.getTime() })),
      ...letGo.map((leg) => ({ leg, since: leg.hangup_requested_at!.getTime() })),
    ];
    const inTurn = owing
      .filter(({ leg }) => isUnleased(leg, now))
      .toSorted((a, b) => (a.leg.hangup_attempted_at?.getTime() ?? -1) - (b.leg.hangup_attempted_at?.getTime() ?? -1) || a.since - b.since);
    return returnRows(inTurn.slice(0, Number(limit)).map(({ leg: { tenant_id, id } }) => ({ tenant_id, id })));
  },
  'due-dial': (tables, [grace, limit], { now }) => {
    const before = now.getTime() - Number(grace) * 1000;
    const legs = [...tables.legsToDial]
      .map((id) => tables.legs.get(id)!)
      .filter((leg) => leg.created_at.getTime() < before && isUnleased(leg, now));
    return returnOldest(
      legs.map((leg) => ({ id: leg.id, tenant_id: leg.tenant_id, since: leg.created_at.getTime() })),
      limit,
    );
  },
  'due-rooms': (tables, [grace, limit], { now }) => {
    const before = now.getTime() - Number(grace) * 1000;
    return returnOldest(
      [...tables.roomsWithExpiryCheck.keys()]
        .map((id) => tables.rooms.get(id)!)
        .flatMap(({ id, tenant_id, state, expiry_check_at }) =>
          state === 'active' && expiry_check_at !== null && expiry_check_at.getTime() < before
            ? [{ id, tenant_id, since: expiry_check_at.getTime() }]
            : [],
        ),
      limit,
    );
  },
};
