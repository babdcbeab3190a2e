/** The faults in force, and which of them bites now. */
import {
  faultsSchema,
  type Faults,
  type RestFault,
  type RestKind,
  type WebhookFault,
  type WebhookKind,
} from './schema.ts';

export interface FaultBook {
  current(): Faults;
  /** Replaces the whole document. */
  set(document: unknown): Faults;
  /** Every rule that bites this webhook attempt. */
  forWebhook(kind: WebhookKind, event: string | undefined): WebhookFault[];
  /** The first rule that bites this request. */
  forRest(route: RestKind): RestFault | undefined;
}

/** mulberry32: small, and the same draws for the same seed, so that a run can be repeated. */
function draws(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Creates a book without faults. */
export function createFaultBook(seed: number): FaultBook {
  let document = faultsSchema.parse({});
  const draw = draws(seed);
  const bites = (rule: { next?: number; probability?: number }): boolean => {
    if (rule.next === 0) return false;
    if (rule.probability !== undefined && draw() >= rule.probability) return false;
    if (rule.next !== undefined) rule.next -= 1;
    return true;
  };
  return {
    current: () => document,
    set(input) {
      document = faultsSchema.parse(input);
      return document;
    },
    forWebhook: (kind, event) =>
      document.webhooks.filter(
        (rule) =>
          (rule.kind === 'any' || rule.kind === kind) &&
          (rule.event === undefined || rule.event === event) &&
          bites(rule),
      ),
    forRest: (route) => document.rest.find((rule) => (rule.route === 'any' || rule.route === route) && bites(rule)),
  };
}
