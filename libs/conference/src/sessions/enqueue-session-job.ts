import type { Deps } from '../deps.ts';

/**
 * Enqueues a job for a session after a commit. A lost job costs only time: `settle_due_at` of a
 * session that SQL alone has changed is in its row, and the inventory moves deadlines too.
 */
export async function enqueueSessionJob(
  { jobs, report }: Pick<Deps, 'jobs' | 'report'>,
  job: 'settle-session' | 'move-deadlines',
  tenantId: string,
  sessionId: string,
): Promise<void> {
  try {
    await jobs.enqueue(job, { tenantId, sessionId });
  } catch (error) {
    report.count('enqueue_failed', { job });
    report.warn('a job could not be enqueued; the reconciler does the work', {
      job,
      tenantId,
      sessionId,
      error: String(error),
    });
  }
}
