import type { Deps } from '../deps.ts';

/**
 * Enqueues the settle job of a session whose legs were changed by SQL alone. The session's row
 * holds `settle_due_at`, so a lost job costs only time.
 */
export async function enqueueSettle(
  { jobs, report }: Pick<Deps, 'jobs' | 'report'>,
  tenantId: string,
  sessionId: string,
): Promise<void> {
  try {
    await jobs.enqueue('settle-session', { tenantId, sessionId });
  } catch (error) {
    report.count('enqueue_failed', { job: 'settle-session' });
    report.warn('a job could not be enqueued; the reconciler does the work', {
      job: 'settle-session',
      tenantId,
      sessionId,
      error: String(error),
    });
  }
}
