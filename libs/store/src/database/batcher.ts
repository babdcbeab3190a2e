import pg from 'pg';

/** How questions that are alike are asked. */
interface BatchHandlers<Q, A> {
  /** Answers in the order of the questions. All in one transaction: when it fails it has changed nothing. */
  readonly runBatch: (questions: readonly Q[]) => Promise<readonly A[]>;
  /** For a question whose group failed. */
  readonly runOne: (question: Q) => Promise<A>;
}

/** Groups under way at a time: few, so that what comes in the meantime makes a group worth its round trip; and never the whole pool. */
const MAX_CONCURRENT_BATCHES = 2;
const MAX_BATCH_SIZE = 100;

/**
 * Lets questions that come close together share a round trip and a transaction. Nothing waits for company: a question goes out at once,
 * unless `AT_A_TIME` groups are out already; then it goes as soon as one is back, with all that came meanwhile. When Postgres refuses a
 * group, each of it is asked alone, so that nobody fails for another's sake.
 */
export function createBatcher<Q, A>({
  runBatch: together,
  runOne: alone,
}: BatchHandlers<Q, A>): (question: Q) => Promise<A> {
  interface Waiting {
    readonly question: Q;
    readonly resolve: (answer: A | Promise<A>) => void;
    readonly reject: (error: unknown) => void;
  }
  let waiting: Waiting[] = [];
  let underWay = 0;

  async function send(group: readonly Waiting[]): Promise<void> {
    try {
      const answers = await together(group.map(({ question }) => question));
      for (const [index, { resolve }] of group.entries()) resolve(answers[index]!);
    } catch (error) {
      // An error that Postgres itself reports undid the transaction. After a broken connection nobody knows, so that is not tried again.
      const undone = error instanceof pg.DatabaseError;
      for (const { question, resolve, reject } of group) {
        if (undone) resolve(alone(question));
        else reject(error);
      }
    }
  }

  function sendWaiting(): void {
    while (waiting.length > 0 && underWay < MAX_CONCURRENT_BATCHES) {
      const group = waiting.slice(0, MAX_BATCH_SIZE);
      waiting = waiting.slice(MAX_BATCH_SIZE);
      underWay += 1;
      void send(group).finally(() => {
        underWay -= 1;
        sendWaiting();
      });
    }
  }

  return (question) =>
    new Promise((resolve, reject) => {
      waiting.push({ question, resolve, reject });
      sendWaiting();
    });
}
