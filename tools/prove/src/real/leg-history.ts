import type { Evidence } from './evidence.ts';
import type { Judged } from './oracle.ts';

const BEFORE_MS = 12_000;
const AFTER_MS = 3_000;
const MOST_LINES = 120;

/** What a leg went through, a line each: the vendor's ledger and logs, the session's events, its people, and what we broke meanwhile. */
export function historyOf(
  { leg, session, owedAt, dueAt, class: faultClass }: Judged,
  { webhooks, requests, sessions, windows, ledger }: Evidence,
  startedAt: number,
): string[] {
  const lines: { at: number; text: string }[] = [];
  const add = (at: number | undefined, source: string, text: string): void => {
    if (at !== undefined) lines.push({ at, text: `${source.padEnd(8)} ${text}` });
  };
  const end = leg.endedAt ?? ledger.now;
  add(leg.createdAt, 'ledger', `the leg is made (${leg.kind})`);
  add(leg.answeredAt, 'ledger', 'answered: it is charged from now on');
  add(leg.endedAt, 'ledger', `ended: ${leg.endReason ?? 'no reason'}`);
  if (leg.endedAt === undefined) add(ledger.now, 'ledger', 'STILL UP');
  add(owedAt ?? undefined, 'oracle', `its end is decided (session ${session?.id ?? 'unknown'})`);
  add(dueAt ?? undefined, 'oracle', `it should be gone by now (class ${faultClass})`);
  const names = [leg.id, leg.callId, leg.connectionId].filter((name) => name !== undefined);
  const concerns = (text: string): boolean => names.some((name) => text.includes(name));
  for (const { at, kind, event, attempt, url, body, outcome, status, fault } of webhooks) {
    if (concerns(body) || concerns(url))
      add(
        at,
        'webhook',
        `${kind} ${event ?? ''} #${attempt} ${new URL(url).pathname}: ${outcome}${status === undefined ? '' : ` ${status}`}${fault === undefined ? '' : ` (fault: ${fault})`}`,
      );
  }
  for (const { at, route, method, url, body, status, fault } of requests) {
    if (concerns(url) || concerns(JSON.stringify(body ?? '')))
      add(at, 'REST', `${route} ${method}: ${status ?? 'no reply'}${fault === undefined ? '' : ` (fault: ${fault})`}`);
  }
  const of = session === null ? undefined : sessions.get(session.id);
  for (const { at, seq, type, data } of of?.events ?? [])
    add(Date.parse(at), 'event', `${seq} ${type} ${JSON.stringify(data)}`);
  for (const { at, what } of of?.held.diary ?? []) add(at, 'people', what);
  for (const { name, target, from, until } of windows) {
    if (until > leg.createdAt - BEFORE_MS && from < end + AFTER_MS) {
      add(from, 'FAULT', `${name} on ${target} begins`);
      if (until > from + 20) add(until, 'FAULT', `${name} on ${target} is over`);
    }
  }
  const sorted = lines
    .toSorted((a, b) => a.at - b.at)
    .map(({ at, text }) => `    ${((at - startedAt) / 1000).toFixed(3).padStart(8)} s  ${text}`);
  return sorted.length <= MOST_LINES
    ? sorted
    : [
        ...sorted.slice(0, MOST_LINES / 2),
        `    … ${sorted.length - MOST_LINES} lines …`,
        ...sorted.slice(-MOST_LINES / 2),
      ];
}
