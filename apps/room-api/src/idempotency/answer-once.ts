import type { RequestVault } from '@partyline/conference/crypto/request-vault';
import { VerdictError } from '@partyline/domain/verdict';
import { toProblem, type Problem } from '@partyline/runtime/problem';
import { claimKey, deleteKey, releaseKey, storeReply, type KeyClaim } from '@partyline/store/idempotency/idempotency';
import { Journal, LeaseLostError } from '@partyline/store/idempotency/journal';
import type { ApiDeps } from '../deps.ts';
import { runWithContext } from './request-context.ts';
import { seedRandomSources } from './seeded-random.ts';

/**
 * Longer than any request, whose statements and provider calls are limited to 5 s each. A retry
 * after a crash waits until the lease expires.
 */
const LEASE_MS = 30_000;
/** How long a concurrent request with the same key waits for the answer of the first. */
const MAX_WAIT_MS = 3_000;
const POLL_MS = 100;

interface KeyedRequest {
  /** `operator` for requests of operators. */
  readonly tenantId: string;
  readonly key: string;
  /** What two requests must share: caller, method, path, `If-Match` and body. */
  readonly fingerprintInput: string;
  /** The request id in a problem. */
  readonly requestId: string;
}

/** An answer, as it is sent and stored. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
}

export interface OnceAnswer {
  readonly answer: Answer;
  /** True if the answer was stored before, and nothing was executed now. */
  readonly replayed: boolean;
}

type Deps = Pick<ApiDeps, 'store' | 'ids' | 'secret'> & {
  readonly requests: RequestVault;
  readonly sleep: (ms: number) => Promise<void>;
};

/**
 * Answers a request with an Idempotency-Key: executes it, or returns its stored answer. A request
 * that failed or crashed resumes where it stopped when it is sent again. Only final answers are
 * stored: successes, and rejections that a retry would repeat.
 * @param deps must not be bound to the request's context, or this code would appear in its journal
 * @param work executes the request
 * @throws VerdictError `idempotency-key-reused` and `idempotency-in-progress` (409), and what
 *   `work` throws
 */
export async function answerOnce(deps: Deps, request: KeyedRequest, work: () => Promise<Answer>): Promise<OnceAnswer> {
  const claim = await claimOrWait(deps, request);
  if (claim.outcome === 'replay')
    return { answer: JSON.parse(deps.requests.decrypt(claim.reply, `${claim.id} reply`)) as Answer, replayed: true };
  const { tenantId } = request;
  const journal = new Journal(claim.id, deps.requests, claim.steps);
  const store = (answer: Answer): Promise<boolean> =>
    storeReply(deps.store, tenantId, claim, deps.requests.encrypt(JSON.stringify(answer), `${claim.id} reply`));
  try {
    const seed = Buffer.from(deps.requests.decrypt(claim.seed, `${claim.id} seed`), 'base64url');
    const answer = await runWithContext({ journal, ...seedRandomSources(seed) }, work);
    // An answer that cannot be stored is not sent: a retry could not get it again.
    if (!(await store(answer))) throw new LeaseLostError();
    return { answer, replayed: false };
  } catch (error) {
    if (error instanceof LeaseLostError) throw inProgress(0);
    const problem = toProblem(error, request.requestId);
    const hasLease = isFinal(error, problem, journal)
      ? await store({ status: problem.status, headers: {}, body: problem })
      : problem.status < 500
        ? await deleteKey(deps.store, tenantId, claim)
        : // If this fails, the lease expires.
          await releaseKey(deps.store, tenantId, claim).catch(() => true);
    throw hasLease ? error : inProgress(0);
  }
}

/** Rejections that can change: a budget, a version, a limit. */
const TEMPORARY_STATUSES: readonly number[] = [402, 412, 429];
/** Rejections of invalid input, before anything was read. */
const VALIDATION_STATUSES: readonly number[] = [400, 413, 415, 422];

/** Whether a retry would be rejected again. A retry time shows that it would not. */
const isFinal = (error: unknown, { status }: Problem, journal: Journal): boolean =>
  status < 500 &&
  !TEMPORARY_STATUSES.includes(status) &&
  !(error instanceof VerdictError && error.retryAfterMs !== undefined) &&
  (journal.hasChanges || !VALIDATION_STATUSES.includes(status));

async function claimOrWait(
  deps: Deps,
  { tenantId, key, fingerprintInput }: KeyedRequest,
): Promise<Exclude<KeyClaim, { outcome: 'wait' | 'reject' }>> {
  const id = deps.ids.next('req');
  const wanted = {
    id,
    key,
    fingerprints: deps.requests.fingerprints(fingerprintInput),
    seed: deps.requests.encrypt(deps.secret(), `${id} seed`),
    leaseMs: LEASE_MS,
  };
  for (let waited = 0; ; waited += POLL_MS) {
    const claim = await claimKey(deps.store, tenantId, wanted);
    if (claim.outcome === 'reject') {
      throw new VerdictError(
        'client',
        'idempotency-key-reused',
        'This Idempotency-Key was used for a different request.',
        { fix: 'Use a new key for each request. A retry must have the same API key, path, If-Match and body.' },
      );
    }
    if (claim.outcome !== 'wait') return claim;
    if (waited >= MAX_WAIT_MS) throw inProgress(claim.leftMs);
    await deps.sleep(POLL_MS);
  }
}

const inProgress = (leftMs: number): VerdictError =>
  new VerdictError(
    'client',
    'idempotency-in-progress',
    'The first request with this Idempotency-Key is still in progress.',
    {
      fix: 'Repeat the request with the same key to get its answer.',
      retryAfterMs: Math.max(1_000, Math.min(leftMs, LEASE_MS)),
    },
  );
