/** What the bench and its load generator, a process of its own, tell each other. */

/** The two webhooks of a caller who dials in. */
export const PHASES = ['answer', 'digits'] as const;
export type Phase = (typeof PHASES)[number];

/** Given once, as the generator's only argument, in JSON. */
export interface LoadSettings {
  readonly connections: number;
  readonly pins: number;
  readonly signing: { readonly secret: string; readonly apiKey: string; readonly applicationId: string };
}

/** Send webhooks of one kind to one server for so long. `digits` come from the calls that `answer` left. */
export interface LoadOrder {
  readonly phase: Phase;
  readonly target: { readonly name: string; readonly port: number; readonly answerPath: string };
  readonly seconds: number;
}

export type LoadReport =
  { readonly requests: number; readonly p50Ms: number; readonly p99Ms: number } | { readonly error: string };
