import { collectDefaultMetrics, Counter, Histogram, Registry } from 'prom-client';
import type { Logger } from './logging.ts';

/** Every metric that a service gives, in one list. Labels hold kinds and reasons, never ids. */
const COUNTERS = {
  webhook_ignored: { help: 'Callbacks that changed nothing: unknown call, unknown event, nothing of ours.', labels: ['why'] },
  webhook_refused: { help: 'Callbacks that failed verification.', labels: ['why'] },
  enqueue_failed: { help: 'Jobs that could not be sent and were left to the sweep.', labels: ['job'] },
  hang_up_asked: { help: 'Hang-ups asked of the provider.', labels: ['kind'] },
  hang_up_failed: { help: 'Hang-ups that the provider did not take.', labels: ['kind', 'reason'] },
  leg_never_seen: { help: 'Dials without an answer that were given up after the ringing timer.', labels: ['kind'] },
  orphan_found: { help: 'Live calls at the provider that no row knew, hung up.', labels: [] },
  swept: { help: 'Things that were owed and had to be picked up by the sweep.', labels: ['what'] },
  job_failed: { help: 'Jobs that threw.', labels: ['job'] },
} as const satisfies Record<string, { help: string; labels: readonly string[] }>;
export type CounterName = keyof typeof COUNTERS;

export interface Metrics {
  readonly registry: Registry;
  count(name: CounterName, labels?: Record<string, string>, by?: number): void;
  /** Seconds of an HTTP request. */
  observeRequest(route: string, status: number, seconds: number): void;
}

export function openMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const counters = new Map(Object.entries(COUNTERS).map(([name, { help, labels }]) => [name, new Counter({ name: `partyline_${name}_total`, help, labelNames: [...labels], registers: [registry] })]));
  const requests = new Histogram({ name: 'partyline_http_request_seconds', help: 'HTTP requests by route and status.', labelNames: ['route', 'status'], buckets: [0.002, 0.01, 0.05, 0.2, 1, 5], registers: [registry] });
  return {
    registry,
    count: (name, labels = {}, by = 1) => counters.get(name)!.inc(labels, by),
    observeRequest: (route, status, seconds) => requests.observe({ route, status: String(status) }, seconds),
  };
}

/** Where the use-cases report: metrics for what is counted, the log for what should be read. */
export const openReport = (metrics: Metrics, log: Logger) => ({
  count: (name: CounterName, labels?: Record<string, string>): void => metrics.count(name, labels),
  warn: (message: string, fields: Record<string, unknown>): void => log.warn(fields, message),
});
