import type { Evidence } from './evidence.ts';
import type { JudgedLeg } from './oracle.ts';

/** Faults this long before and after the leg are part of its history. */
const MARGIN_BEFORE_MS = 12_000;
const MARGIN_AFTER_MS = 3_000;
const MAX_LINES = 120;

/**
 * The history of a leg, one line per fact, in order of time: the provider's ledger and logs, the
 * session's events, the actions of its participants, and the faults meanwhile.
 * @param startedAt the start of the run, from which the times count
 */
export function formatLegHistory(
  { leg, session, endDueAt, boundAt, class: faultClass }: JudgedLeg,
  { webhooks, requests, sessions, windows, ledger }: Evidence,
  startedAt: number,
): string[] {
  const lines: { at: number; text: string }[] = [];
  const add = (at: number | undefined, source: string, text: string): void => {
    if (at !== undefined) lines.push({ at, text: `${source.padEnd(8)} ${text}` });
  };
  const formatFault = (fault: string | undefined): string => (fault === undefined ? '' : ` (fault: ${fault})`);
  const end = leg.endedAt ?? ledger.now;
  add(leg.createdAt, 'ledger', `created (${leg.kind})`);
  add(leg.answeredAt, 'ledger', 'answered, billed from now on');
  add(leg.endedAt, 'ledger', `ended: ${leg.endReason ?? 'no reason'}`);
  if (leg.endedAt === undefined) add(ledger.now, 'ledger', 'STILL UP');
  add(endDueAt ?? undefined, 'oracle', `its end is decided (session ${session?.id ?? 'unknown'})`);
  add(boundAt ?? undefined, 'oracle', `its bound (class ${faultClass})`);
  const ids = [leg.id, leg.callId, leg.connectionId].filter((id) => id !== undefined);
  const concernsLeg = (text: string): boolean => ids.some((id) => text.includes(id));
  for (const { at, kind, event, attempt, url, body, outcome, status, fault } of webhooks) {
    if (!concernsLeg(body) && !concernsLeg(url)) continue;
    const result = `${outcome}${status === undefined ? '' : ` ${status}`}${formatFault(fault)}`;
    add(at, 'webhook', `${kind} ${event ?? ''} #${attempt} ${new URL(url).pathname}: ${result}`);
  }
  for (const { at, route, method, url, body, status, fault } of requests) {
    if (concernsLeg(url) || concernsLeg(JSON.stringify(body ?? '')))
      add(at, 'REST', `${route} ${method}: ${status ?? 'no reply'}${formatFault(fault)}`);
  }
  const found = session === null ? undefined : sessions.get(session.id);
  for (const { at, seq, type, data } of found?.events ?? [])
    add(Date.parse(at), 'event', `${seq} ${type} ${JSON.stringify(data)}`);
  for (const { at, action } of found?.meeting.log ?? []) add(at, 'users', action);
  for (const { name, target, from, until } of windows) {
    if (until > leg.createdAt - MARGIN_BEFORE_MS && from < end + MARGIN_AFTER_MS) {
      add(from, 'FAULT', `${name} on ${target} starts`);
      if (until > from + 20) add(until, 'FAULT', `${name} on ${target} ends`);
    }
  }
  const sorted = lines
    .toSorted((a, b) => a.at - b.at)
    .map(({ at, text }) => `    ${((at - startedAt) / 1000).toFixed(3).padStart(8)} s  ${text}`);
  return sorted.length <= MAX_LINES
    ? sorted
    : [
        ...sorted.slice(0, MAX_LINES / 2),
        `    ... ${sorted.length - MAX_LINES} lines left out ...`,
        ...sorted.slice(-MAX_LINES / 2),
      ];
}
