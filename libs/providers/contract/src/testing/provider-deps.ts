import { randomUUID } from 'node:crypto';
import type { ProviderDeps } from '../definition.ts';

/** The dependencies of a provider in a test: the system's clock and random text. */
export const providerDeps = (timeoutMs: number): ProviderDeps => ({
  timeoutMs,
  clock: { now: () => new Date() },
  secret: () => randomUUID(),
});
