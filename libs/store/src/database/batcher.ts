import pg from 'pg';

interface BatchHandlers<Request, Result> {
  /**
   * Returns results in the order of the requests. One transaction: on an error it has changed
   * nothing.
   */
  readonly runBatch: (requests: readonly Request[]) => Promise<readonly Result[]>;
  /** Runs one request of a batch that failed. */
  readonly runOne: (request: Request) => Promise<Result>;
}

/**
 * Few, so that requests collect into a batch while others run, and so that batches never fill the
 * pool.
 */
const MAX_CONCURRENT_BATCHES = 2;
const MAX_BATCH_SIZE = 100;

/**
 * Lets concurrent requests share a round trip and a transaction. A request is sent at once while
 * fewer than `MAX_CONCURRENT_BATCHES` run, otherwise with all others as soon as one of them
 * returns. When Postgres rejects a batch, each of its requests runs alone, so that none fails for
 * another.
 */
export function createBatcher<Request, Result>({
  runBatch,
  runOne,
}: BatchHandlers<Request, Result>): (request: Request) => Promise<Result> {
  interface Pending {
    readonly request: Request;
    readonly resolve: (result: Result | Promise<Result>) => void;
    readonly reject: (error: unknown) => void;
  }
  let pending: Pending[] = [];
  let running = 0;

  async function send(batch: readonly Pending[]): Promise<void> {
    try {
      const results = await runBatch(batch.map(({ request }) => request));
      for (const [index, { resolve }] of batch.entries()) resolve(results[index]!);
    } catch (error) {
      // An error that Postgres reports has rolled the transaction back. After a broken connection
      // the outcome is not known, so the batch is not retried.
      const rolledBack = error instanceof pg.DatabaseError;
      for (const { request, resolve, reject } of batch) {
        if (rolledBack) resolve(runOne(request));
        else reject(error);
      }
    }
  }

  function sendPending(): void {
    while (pending.length > 0 && running < MAX_CONCURRENT_BATCHES) {
      const batch = pending.slice(0, MAX_BATCH_SIZE);
      pending = pending.slice(MAX_BATCH_SIZE);
      running += 1;
      void send(batch).finally(() => {
        running -= 1;
        sendPending();
      });
    }
  }

  return (request) =>
    new Promise((resolve, reject) => {
      pending.push({ request, resolve, reject });
      sendPending();
    });
}
