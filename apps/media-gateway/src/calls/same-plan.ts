import { isDeepStrictEqual } from 'node:util';
import { planReply, type PlanReply } from '@partyline/provider-janus/wire';

/**
 * Whether a call that follows one plan need not begin another: a request that was sent twice. Their
 * timers differ by the time between them.
 */
export function isSamePlan(followed: unknown, plan: PlanReply): boolean {
  const parsed = planReply.safeParse(followed);
  return parsed.success && isDeepStrictEqual(withoutTimers(parsed.data), withoutTimers(plan));
}

const withoutTimers = ({ steps }: PlanReply) =>
  steps.map((step) => (step.do === 'join' ? { ...step, lengthTimerS: undefined } : step));
