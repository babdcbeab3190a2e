/** The active fault document, and the selection of the faults that apply to one event. */
import {
  faultsSchema,
  type Faults,
  type RestFault,
  type RestKind,
  type WebhookFault,
  type WebhookKind,
} from './schema.ts';

export interface FaultInjector {
  current(): Faults;
  /** Replaces the document. Throws a ZodError when it is invalid. */
  set(document: unknown): Faults;
  /** Returns every rule that applies to this webhook attempt. */
  selectWebhookFaults(kind: WebhookKind, event: string | undefined): WebhookFault[];
  /** Returns the first rule that applies to this request. */
  selectRestFault(route: RestKind): RestFault | undefined;
}

/** mulberry32: the same seed gives the same numbers in [0, 1), so that a run can be repeated. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Creates an injector without faults. */
export function createFaultInjector(seed: number): FaultInjector {
  let document = faultsSchema.parse({});
  const random = createRandom(seed);
  const shouldInject = (rule: { next?: number; probability?: number }): boolean => {
    if (rule.next === 0) return false;
    if (rule.probability !== undefined && random() >= rule.probability) return false;
    if (rule.next !== undefined) rule.next -= 1;
    return true;
  };
  return {
    current: () => document,
    set(input) {
      document = faultsSchema.parse(input);
      return document;
    },
    selectWebhookFaults: (kind, event) =>
      document.webhooks.filter(
        (rule) =>
          (rule.kind === 'any' || rule.kind === kind) &&
          (rule.event === undefined || rule.event === event) &&
          shouldInject(rule),
      ),
    selectRestFault: (route) =>
      document.rest.find((rule) => (rule.route === 'any' || rule.route === route) && shouldInject(rule)),
  };
}
