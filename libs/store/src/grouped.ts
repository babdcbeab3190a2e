import pg from 'pg';

/** One question of many that are alike, and may share a transaction. */
export interface Ask<Q, A> {
  /** Answers in the order of the questions. All in one transaction: when it fails it has changed nothing. */
  together(questions: readonly Q[]): Promise<readonly A[]>;
  /** For a question whose group failed. */
  alone(question: Q): Promise<A>;
}

/** Groups under way at a time: few, so that what comes in the meantime makes a group worth its round trip; and never the whole pool. */
const AT_A_TIME = 3;
const LARGEST = 100;

/**
 * Lets questions that come in the same moment share a round trip and a transaction. Nothing waits for company: a question goes out at
 * the end of the event loop's turn, with what else came in it, unless `AT_A_TIME` groups are still out; then it goes with the next.
 * When Postgres refuses a group, each of it is asked alone, so that nobody fails for another's sake.
 */
export function grouped<Q, A>({ together, alone }: Ask<Q, A>): (question: Q) => Promise<A> {
  interface Waiting {
    readonly question: Q;
    readonly resolve: (answer: A | Promise<A>) => void;
    readonly reject: (error: unknown) => void;
  }
  let waiting: Waiting[] = [];
  let underWay = 0;
  let planned = false;

  async function send(group: readonly Waiting[]): Promise<void> {
    try {
      const answers = await together(group.map(({ question }) => question));
      for (const [index, { resolve }] of group.entries()) resolve(answers[index]!);
    } catch (error) {
      // An error that Postgres itself reports undid the transaction. After a broken connection nobody knows, so that is not tried again.
      for (const { question, resolve, reject } of group) if (error instanceof pg.DatabaseError) resolve(alone(question));
      else reject(error);
    }
  }

  function sendAll(): void {
    planned = false;
    while (waiting.length > 0 && underWay < AT_A_TIME) {
      const group = waiting.slice(0, LARGEST);
      waiting = waiting.slice(LARGEST);
      underWay += 1;
      void send(group).finally(() => {
        underWay -= 1;
        plan();
      });
    }
  }

  function plan(): void {
    if (planned || waiting.length === 0 || underWay >= AT_A_TIME) return;
    planned = true;
    setImmediate(sendAll);
  }

  return (question) =>
    new Promise((resolve, reject) => {
      waiting.push({ question, resolve, reject });
      plan();
    });
}
