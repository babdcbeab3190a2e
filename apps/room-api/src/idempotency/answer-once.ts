import type { RequestVault } from '@partyline/conference/crypto/request-vault';
import { VerdictError } from '@partyline/domain/verdict';
import { toProblem, type Problem } from '@partyline/runtime/problem';
import { claimKey, deleteKey, storeReply, releaseKey, type KeyClaim } from '@partyline/store/idempotency/idempotency';
import { Journal, LeaseLostError } from '@partyline/store/idempotency/journal';
import type { ApiDeps } from '../deps.ts';
import { doneOnce } from './per-request.ts';
import { seededChance } from './seeded-chance.ts';

/** Longer than any request takes: its statements and questions have limits of 5 s. Whoever asks again after a crash waits for the rest of it. */
const LEASE_MS = 30_000;
/** A twin waits so long for the answer of the first, looking this often. */
const WAIT_MS = 3_000;
const LOOK_MS = 100;

interface KeyedRequest {
  /** `operator` for the operator's own. */
  readonly tenantId: string;
  readonly key: string;
  /** By whom, how and of what it is asked: the key, method, address, `If-Match` and body. */
  readonly what: string;
  /** Names the request in a problem. */
  readonly requestId: string;
}

/** An answer as it was given, and is given again. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
}

export interface Given {
  readonly answer: Answer;
  /** It was given before, and nothing was done now. */
  readonly replayed: boolean;
}

type Deps = Pick<ApiDeps, 'store' | 'ids' | 'secret'> & {
  readonly requests: RequestVault;
  readonly sleep: (ms: number) => Promise<void>;
};

/**
 * Answers a request that came with an Idempotency-Key: does it, or gives the answer that it had. A request that failed or died on the way is taken up where it was,
 * by whoever sends it again. Kept is what is final: what was done, and what was refused for what it found. Throws 409 `idempotency-key-reused` and
 * `idempotency-in-progress`, and what the work throws.
 * @param deps used outside the work, so that none of what is done with them here stands in the request's journal
 * @param work gives what is answered when it is done
 */
export async function answerOnce(deps: Deps, request: KeyedRequest, work: () => Promise<Answer>): Promise<Given> {
  const claimed = await claim(deps, request);
  if (claimed.outcome === 'replay')
    return { answer: JSON.parse(deps.requests.decrypt(claimed.reply, `${claimed.id} reply`)) as Answer, replayed: true };
  const { tenantId } = request;
  const journal = new Journal(claimed.id, deps.requests, claimed.steps);
  const keep = (answer: Answer): Promise<boolean> =>
    storeReply(deps.store, tenantId, claimed, deps.requests.encrypt(JSON.stringify(answer), `${claimed.id} reply`));
  try {
    const answer = await doneOnce(
      { journal, ...seededChance(Buffer.from(deps.requests.decrypt(claimed.seed, `${claimed.id} seed`), 'base64url')) },
      work,
    );
    // An answer that is not kept is not given: it could not be given again.
    if (!(await keep(answer))) throw new LeaseLostError();
    return { answer, replayed: false };
  } catch (error) {
    if (error instanceof LeaseLostError) throw inProgress(0);
    const problem = toProblem(error, request.requestId);
    const ours = isFinal(error, problem, journal)
      ? await keep({ status: problem.status, headers: {}, body: problem })
      : problem.status < 500
        ? await deleteKey(deps.store, tenantId, claimed)
        : // Where this fails too, the lease runs out.
          await releaseKey(deps.store, tenantId, claimed).catch(() => true);
    throw ours ? error : inProgress(0);
  }
}

/** Refused for as long as there is nothing left to spend, the room has another version, or a limit is reached. */
const FOR_NOW: readonly number[] = [402, 412, 429];
/** Refused before anything was found out: a field that is wrong. */
const UNREAD: readonly number[] = [400, 413, 415, 422];

/** Is it refused for good? Not when that can change, as is plain when it says when to come again. */
const isFinal = (error: unknown, { status }: Problem, journal: Journal): boolean =>
  status < 500 &&
  !FOR_NOW.includes(status) &&
  !(error instanceof VerdictError && error.retryAfterMs !== undefined) &&
  (journal.hasChanges || !UNREAD.includes(status));

async function claim(
  deps: Deps,
  { tenantId, key, what }: KeyedRequest,
): Promise<Exclude<KeyClaim, { outcome: 'wait' | 'refuse' }>> {
  const id = deps.ids.next('req');
  const wanted = {
    id,
    key,
    fingerprint: deps.requests.fingerprint(what),
    seed: deps.requests.encrypt(deps.secret(), `${id} seed`),
    leaseMs: LEASE_MS,
  };
  for (let waited = 0; ; waited += LOOK_MS) {
    const claimed = await claimKey(deps.store, tenantId, wanted);
    if (claimed.outcome === 'refuse') {
      throw new VerdictError('client', 'idempotency-key-reused', 'This Idempotency-Key was used for another request.', {
        fix: 'Send a new one with each new request, and the same only with the same API key, address, If-Match and body.',
      });
    }
    if (claimed.outcome !== 'wait') return claimed;
    if (waited >= WAIT_MS) throw inProgress(claimed.leftMs);
    await deps.sleep(LOOK_MS);
  }
}

const inProgress = (leftMs: number): VerdictError =>
  new VerdictError('client', 'idempotency-in-progress', 'The request with this Idempotency-Key is still under way.', {
    fix: 'Send it again with the same key in a moment, and you get its answer.',
    retryAfterMs: Math.max(1_000, Math.min(leftMs, LEASE_MS)),
  });
