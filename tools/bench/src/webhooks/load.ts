/** The load generator: a process of its own, so that its work is not counted as the server's. Takes orders over IPC, one at a time. */
import { quantile } from '../statistics.ts';
import { openConnection, type Reply } from './connection.ts';
import type { LoadOrder, LoadReport, LoadSettings } from './protocol.ts';
import { answerBody, digitsBody, createCall, signedPosts, type Call } from './requests.ts';
import { conversationOf, pinOf, unknownPinOf } from './rooms.ts';

/** A caller who was asked for a PIN. */
interface Prompted {
  readonly index: number;
  readonly call: Call;
  readonly replyPath: string;
}

/** What one server has been sent so far. */
interface Progress {
  calls: number;
  prompted: Prompted[];
}

/** One request, and what makes its reply right. */
interface Exchange {
  readonly path: string;
  readonly body: string;
  /** Throws when the reply is not what a caller needs. */
  take(ncco: Ncco): void;
}

type Ncco = readonly { readonly action: string; readonly eventUrl?: readonly string[]; readonly name?: string }[];

const settings = JSON.parse(process.argv[2]!) as LoadSettings;
const sign = signedPosts(settings.signing);
const progressOf = new Map<string, Progress>();

process.on('message', (order: LoadOrder) => {
  void run(order)
    .catch((error: unknown): LoadReport => ({ error: error instanceof Error ? error.message : String(error) }))
    .then((report) => process.send!(report));
});
process.once('disconnect', () => process.exit());

async function run({ phase, target, seconds }: LoadOrder): Promise<LoadReport> {
  const progress = progressOf.get(target.name) ?? { calls: 0, prompted: [] };
  progressOf.set(target.name, progress);
  if (phase === 'answer') progress.prompted = [];
  const next = phase === 'answer' ? () => answer(progress, target.answerPath) : () => digits(progress);
  const latencies: number[] = [];
  const connections = await Promise.all(
    Array.from({ length: settings.connections }, () => openConnection(target.port)),
  );
  const endAt = performance.now() + seconds * 1000;
  try {
    await Promise.all(
      connections.map(async (connection) => {
        while (performance.now() < endAt) {
          const exchange = next();
          if (exchange === undefined) return;
          const request = sign(exchange.path, exchange.body);
          const sentAt = performance.now();
          const reply = await connection.send(request);
          latencies.push(performance.now() - sentAt);
          check(exchange, reply, target.name);
        }
      }),
    );
  } finally {
    for (const connection of connections) connection.close();
  }
  return { requests: latencies.length, p50Ms: quantile(latencies, 0.5), p99Ms: quantile(latencies, 0.99) };
}

function answer(progress: Progress, path: string): Exchange {
  const index = progress.calls++;
  const call = createCall(index);
  return {
    path,
    body: answerBody(call),
    take(ncco) {
      progress.prompted.push({ index, call, replyPath: replyPathOf(ncco) });
    },
  };
}

/** The digits of a caller who waits, in any order; every tenth keys a wrong PIN. */
function digits(progress: Progress): Exchange | undefined {
  const prompted = progress.prompted.pop();
  if (prompted === undefined) return undefined;
  const { index, call, replyPath } = prompted;
  const isWrong = index % 10 === 9;
  // All rooms in turn, in no order that an index would like: a room takes 50 callers, and no chance should fill one. The factor is prime.
  const room = (index * 48_271) % settings.pins;
  return {
    path: replyPath,
    body: digitsBody(call, isWrong ? unknownPinOf(index) : pinOf(room)),
    take(ncco) {
      if (isWrong) {
        replyPathOf(ncco);
        return;
      }
      const joined = ncco.find(({ action }) => action === 'conversation')?.name;
      if (joined !== conversationOf(room))
        throw new Error(`the caller should be in ${conversationOf(room)}, and is in ${joined ?? 'no conversation'}`);
    },
  };
}

/** Where the digits go. The caller hears something, then is asked. */
function replyPathOf(ncco: Ncco): string {
  const [talk, input] = ncco;
  const url = input?.eventUrl?.[0];
  if (ncco.length !== 2 || talk?.action !== 'talk' || input?.action !== 'input' || url === undefined)
    throw new Error('the caller should be asked for a PIN');
  return new URL(url).pathname;
}

function check(exchange: Exchange, { status, body }: Reply, server: string): void {
  try {
    if (status !== 200) throw new Error(`the status should be 200, and is ${status}`);
    exchange.take(JSON.parse(body) as Ncco);
  } catch (error) {
    throw new Error(
      `${server} gave a wrong reply: ${(error as Error).message}.\n  sent ${exchange.path} ${exchange.body}\n  got  ${status} ${body}`,
      { cause: error },
    );
  }
}
