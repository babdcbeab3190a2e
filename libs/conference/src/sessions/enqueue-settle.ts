import type { Deps } from '../deps.ts';

/** Has a session settled soon, after a single statement changed its roster. The row says that it is owed, so losing this costs only time. */
export async function enqueueSettle(
  { jobs, report }: Pick<Deps, 'jobs' | 'report'>,
  tenantId: string,
  sessionId: string,
): Promise<void> {
  try {
    await jobs.enqueue('settle-session', { tenantId, sessionId });
  } catch (error) {
    report.count('enqueue_failed', { job: 'settle-session' });
    report.warn('a job could not be sent; the reconciler will do it', {
      job: 'settle-session',
      tenantId,
      sessionId,
      error: String(error),
    });
  }
}
