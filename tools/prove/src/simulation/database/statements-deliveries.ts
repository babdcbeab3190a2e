import type { EndpointRow } from '@partyline/store/endpoints/endpoints';
import { returnRows, returnCount, returnRow, addSeconds, type StatementTwin } from './statement-twin.ts';
import type { OutboxRow, Tables } from './tables.ts';

export interface DeliveryRow {
  readonly id: string;
  readonly tenant_id: string;
  readonly endpoint_id: string;
  readonly event_id: number;
  readonly stream: string;
  readonly seq: number;
  readonly state: string;
  readonly attempts: number;
  readonly tries: number;
  readonly next_try_at: Date | null;
  readonly lease_until: Date | null;
  readonly created_at: Date;
  readonly done_at: Date | null;
}
export interface DeliveryAttemptRow {
  readonly delivery_id: string;
  readonly no: number;
  readonly tenant_id: string;
  readonly at: Date;
  readonly status: number | null;
  readonly duration_ms: number | null;
  readonly error: string | null;
}

/** The column defaults of the table. */
export const DEFAULT_ENDPOINT: Omit<EndpointRow, 'id' | 'tenant_id' | 'url' | 'secret' | 'created_at'> = {
  description: '',
  types: [],
  enabled: true,
  disabled_at: null,
  disabled_reason: null,
  old_secret: null,
  old_secret_until: null,
  failures: 0,
  failing_since: null,
  probe_at: null,
  last_seq: 0,
  deleted_at: null,
};

/** Adds a delivery of the event for each endpoint that receives its type. */
export function enqueueDeliveries(
  tables: Tables,
  { tenant_id, id, room_id, session_id, seq, type }: OutboxRow,
  now: Date,
): void {
  for (const endpoint of tables.endpoints.values()) {
    if (
      endpoint.tenant_id !== tenant_id ||
      !endpoint.enabled ||
      endpoint.deleted_at !== null ||
      !(endpoint.types.length === 0 || endpoint.types.includes(type))
    )
      continue;
    tables.putDelivery({
      id: `dlv_${endpoint.id}_${id}`,
      tenant_id,
      endpoint_id: endpoint.id,
      event_id: id,
      stream: session_id ?? room_id,
      seq,
      state: 'pending',
      attempts: 0,
      tries: 0,
      next_try_at: now,
      lease_until: null,
      created_at: now,
      done_at: null,
    });
  }
}

const isLeased = (row: DeliveryRow, now: Date): boolean => row.lease_until !== null && row.lease_until > now;
const byDue = (a: DeliveryRow, b: DeliveryRow): number =>
  a.next_try_at!.getTime() - b.next_try_at!.getTime() ||
  a.event_id - b.event_id ||
  (a.endpoint_id < b.endpoint_id ? -1 : 1);

function listPendingByEndpoint(tables: Tables): Map<string, DeliveryRow[]> {
  const pending = new Map<string, DeliveryRow[]>();
  for (const id of tables.pendingDeliveries) {
    const row = tables.deliveries.get(id)!;
    const list = pending.get(row.endpoint_id);
    if (list === undefined) pending.set(row.endpoint_id, [row]);
    else list.push(row);
  }
  return pending;
}

/** The statements of event delivery. */
export const DELIVERY_TWINS: Readonly<Record<string, StatementTwin>> = {
  'claim-endpoints': (tables, [maxPerEndpoint, circuitOpensAt, limit, maxPerTenant], { now }) => {
    const all = [...listPendingByEndpoint(tables)].map(([id, rows]) => ({
      endpoint: tables.endpoints.get(id)!,
      first: Math.min(...rows.map((row) => row.next_try_at!.getTime())),
      leases: rows.filter((row) => isLeased(row, now)).length,
    }));
    const busy = new Map<string, number>();
    for (const { endpoint, leases } of all) busy.set(endpoint.tenant_id, (busy.get(endpoint.tenant_id) ?? 0) + leases);
    const byFirst = (a: (typeof all)[number], b: (typeof all)[number]): number =>
      a.first - b.first || (a.endpoint.id < b.endpoint.id ? -1 : 1);
    // Endpoints that are not due come last, so they do not change the order of the others.
    const nth = new Map<string, number>();
    const counted = new Map<string, number>();
    for (const { endpoint } of all.toSorted(byFirst)) {
      counted.set(endpoint.tenant_id, (counted.get(endpoint.tenant_id) ?? 0) + 1);
      nth.set(endpoint.id, counted.get(endpoint.tenant_id)!);
    }
    const found = all.filter(({ endpoint, first, leases }) => {
      if (
        first > now.getTime() ||
        !endpoint.enabled ||
        endpoint.deleted_at !== null ||
        busy.get(endpoint.tenant_id)! >= Number(maxPerTenant)
      )
        return false;
      return endpoint.failures >= Number(circuitOpensAt) ? endpoint.probe_at! <= now : leases < Number(maxPerEndpoint);
    });
    const busyOf = ({ endpoint }: (typeof found)[number]): number => busy.get(endpoint.tenant_id)!;
    return returnRows(
      found
        .toSorted((a, b) => busyOf(a) + nth.get(a.endpoint.id)! - busyOf(b) - nth.get(b.endpoint.id)! || byFirst(a, b))
        .slice(0, Number(limit))
        .map((each) => ({
          id: each.endpoint.id,
          failures: each.endpoint.failures,
          tenant_id: each.endpoint.tenant_id,
          busy: busyOf(each),
        })),
    );
  },
  'claim-deliveries': (
    tables,
    [ids, slots, lease, limit, circuitOpensAt, tenants, busy, maxPerTenant],
    { now, clock },
  ) => {
    const pending = listPendingByEndpoint(tables);
    const found = (ids as readonly string[]).flatMap((endpoint, i) => {
      const rows = pending.get(endpoint) ?? [];
      const heads = new Map<string, number>();
      for (const { stream, seq } of rows) if (seq < (heads.get(stream) ?? Infinity)) heads.set(stream, seq);
      const free = Math.max(0, (slots as readonly number[])[i]! - rows.filter((row) => isLeased(row, now)).length);
      return rows
        .filter((row) => row.next_try_at! <= now && !isLeased(row, now) && heads.get(row.stream) === row.seq)
        .toSorted(byDue)
        .slice(0, free);
    });
    const busyByTenant = new Map(
      (tenants as readonly string[]).map((tenant, i) => [tenant, (busy as readonly number[])[i]!]),
    );
    const picked = found.toSorted(byDue).map((row) => {
      const nth = busyByTenant.get(row.tenant_id)! + 1;
      busyByTenant.set(row.tenant_id, nth);
      return { row, nth };
    });
    return returnRows(
      picked
        .filter(({ nth }) => nth <= Number(maxPerTenant))
        .toSorted((a, b) => a.nth - b.nth || byDue(a.row, b.row))
        .slice(0, Number(limit))
        .map(({ row }) => {
          const claimed = {
            ...row,
            attempts: row.attempts + 1,
            tries: row.tries + 1,
            lease_until: addSeconds(clock, Number(lease)),
          };
          tables.putDelivery(claimed);
          tables.put(tables.deliveryAttempts, `${row.id} ${claimed.attempts}`, {
            delivery_id: row.id,
            no: claimed.attempts,
            tenant_id: row.tenant_id,
            at: clock,
            status: null,
            duration_ms: null,
            error: null,
          });
          const endpoint = tables.endpoints.get(row.endpoint_id)!;
          if (endpoint.failures >= Number(circuitOpensAt))
            tables.put(tables.endpoints, endpoint.id, { ...endpoint, probe_at: addSeconds(clock, Number(lease)) });
          const { id, room_id, session_id, endpoint_id, seq, type, data, created_at } = tables.outbox.get(
            row.event_id,
          )!;
          const { url, secret, old_secret, old_secret_until } = endpoint;
          return {
            delivery_id: row.id,
            tenant_id: row.tenant_id,
            to_endpoint: row.endpoint_id,
            attempts: claimed.attempts,
            tries: claimed.tries,
            url,
            secret,
            old_secret: old_secret_until !== null && old_secret_until > now ? old_secret : null,
            id: String(id),
            room_id,
            session_id,
            endpoint_id,
            seq,
            type,
            data: JSON.parse(data) as unknown,
            created_at,
          };
        }),
    );
  },
  'delivery-accepted': (tables, [tenant, id, no, status, ms], { clock }) => {
    finishAttempt(tables, tenant, id, no, { status: Number(status), duration_ms: Number(ms), error: null });
    const row = tables.deliveries.get(id as string);
    if (row === undefined || row.tenant_id !== tenant || row.state !== 'pending') return returnCount(0);
    tables.putDelivery({ ...row, state: 'delivered', done_at: clock, next_try_at: null, lease_until: null });
    const endpoint = tables.endpoints.get(row.endpoint_id)!;
    if (endpoint.failures === 0) return returnCount(0);
    tables.put(tables.endpoints, endpoint.id, { ...endpoint, failures: 0, failing_since: null, probe_at: null });
    return returnCount(1);
  },
  'delivery-failed': (
    tables,
    [tenant, id, no, status, ms, error, wait, circuitOpensAt, firstS, longestS],
    { clock },
  ) => {
    finishAttempt(tables, tenant, id, no, {
      status: status as number | null,
      duration_ms: Number(ms),
      error: error as string | null,
    });
    const row = tables.deliveries.get(id as string);
    if (row === undefined || row.tenant_id !== tenant || row.attempts !== no || row.state !== 'pending')
      return returnCount(0);
    const next_try_at = wait === null ? null : addSeconds(clock, Number(wait));
    tables.putDelivery({
      ...row,
      lease_until: null,
      next_try_at,
      ...(next_try_at === null ? { state: 'failed', done_at: clock } : { done_at: null }),
    });
    if (next_try_at !== null) {
      for (const each of listPendingByEndpoint(tables).get(row.endpoint_id) ?? [])
        if (each.stream === row.stream && each.id !== row.id) tables.putDelivery({ ...each, next_try_at });
    }
    const endpoint = tables.endpoints.get(row.endpoint_id)!;
    const failures = endpoint.failures + 1;
    const probeS = Math.min(
      Number(longestS),
      Number(firstS) * 2 ** Math.min(20, Math.max(0, failures - Number(circuitOpensAt))),
    );
    const failing_since = endpoint.failing_since ?? clock;
    tables.put(tables.endpoints, endpoint.id, {
      ...endpoint,
      failures,
      failing_since,
      probe_at: addSeconds(clock, probeS),
    });
    return returnRow({ failures, for_s: (clock.getTime() - failing_since.getTime()) / 1000 });
  },
};

function finishAttempt(
  tables: Tables,
  tenant: unknown,
  id: unknown,
  no: unknown,
  result: Pick<DeliveryAttemptRow, 'status' | 'duration_ms' | 'error'>,
): void {
  const key = `${id as string} ${no as number}`;
  const before = tables.deliveryAttempts.get(key);
  if (before !== undefined && before.tenant_id === tenant)
    tables.put(tables.deliveryAttempts, key, { ...before, ...result });
}
