import { VerdictError, type Outcome } from '@partyline/domain/verdict';
import { ProviderError } from '@partyline/provider-contract/provider-error';
import { KEPT_H } from '@partyline/store/idempotency/idempotency';
import type { AskProvider } from '../provider-rpc/handlers.ts';
import { PACED } from './rate-limit-providers.ts';

/*
 * The wire between those who ask (room-api) and the one who answers (dial-orchestrator): Nest's Redis transport, one pattern per method of
 * `AskProvider`. Both sides take names and encoding from here, so they cannot disagree.
 */

export type Question = keyof AskProvider;
export type Input<Q extends Question> = Parameters<AskProvider[Q]>[0];
export type Answer<Q extends Question> = Awaited<ReturnType<AskProvider[Q]>>;

/** Which fields of a question or of its answer are dates: JSON carries them as ISO 8601 strings. The type makes sure that no question is forgotten. */
const DATES: { readonly [Q in Question]: { readonly input: readonly string[]; readonly value: readonly string[] } } = {
  openMedia: { input: [], value: ['tokenExpiresAt'] },
  issueToken: { input: ['expiresAt'], value: ['tokenExpiresAt'] },
  observeRoom: { input: [], value: [] },
  mute: { input: [], value: [] },
  sendDigits: { input: [], value: [] },
  verifyAccount: { input: [], value: [] },
};

/** Every question, to register a handler for each. */
export const QUESTIONS = Object.keys(DATES) as readonly Question[];

/** What the asking side waits for an answer, in milliseconds; longer than the provider's own timeout, so that its verdict gets through. */
export const ANSWER_WITHIN_MS = 5_000;

/** Those that do something to a connection: without an answer, it may have been done. */
export const ACTS: ReadonlySet<Question> = new Set<Question>(['mute', 'sendDigits']);

/** Of those, what is not to happen twice. Asked again under the same id, it gets the answer of the first time, or none. */
export const DONE_ONCE: ReadonlySet<Question> = new Set<Question>(['sendDigits']);

/** For how long a question's id stays claimed, in milliseconds: for as long as it may be asked again, which a request with an Idempotency-Key may for a day. */
export const claimedForMs = (question: Question): number =>
  DONE_ONCE.has(question) ? KEPT_H * 3_600_000 : 4 * ANSWER_WITHIN_MS;

/**
 * The name of the message. Redis channels are not kept apart by database number, so deployments that share a Redis must differ here.
 * @param prefix `REDIS_PREFIX`, the same on both sides
 */
export const questionPattern = (question: Question, prefix = 'partyline'): string => `${prefix}.${question}`;

/**
 * A question on the wire. Every replica of the answering side hears it; the one that claims `id` (once, for `claimedForMs`) answers. The others must stay silent, in Nest by returning rxjs `NEVER`: an empty reply would end the wait.
 */
export interface Asked {
  /** Random, 128 bits or more. */
  readonly id: string;
  /** The method's argument, dates as ISO strings. */
  readonly input: unknown;
}

/** The answer on the wire: what the method gave, dates as ISO strings, or the verdict that it threw. */
export type Answered =
  | { readonly ok: true; readonly value: unknown }
  | {
      readonly ok: false;
      readonly error: {
        readonly outcome: Outcome;
        readonly reason: string;
        readonly message: string;
        readonly field?: string;
        readonly fix?: string;
        readonly retryAfterMs?: number;
      };
    };

const encodeDates = (value: unknown): unknown => JSON.parse(JSON.stringify(value)) as unknown;

function decodeDates(value: unknown, fields: readonly string[]): unknown {
  if (fields.length === 0) return value;
  const decoded: Record<string, unknown> = { ...(value as object) };
  for (const field of fields) decoded[field] = new Date(String(decoded[field]));
  return decoded;
}

/** The asking side: a question as it is sent. */
export const encodeQuestion = <Q extends Question>(id: string, input: Input<Q>): Asked => ({
  id,
  input: encodeDates(input),
});

/** The asking side: gives the answer, or throws the verdict that the other side threw. */
export function decodeAnswer<Q extends Question>(question: Q, answered: Answered): Answer<Q> {
  if (answered.ok) return decodeDates(answered.value, DATES[question].value) as Answer<Q>;
  const { outcome, reason, message, ...more } = answered.error;
  throw new VerdictError(outcome, reason, message, more);
}

/** What a provider says no with has names of its own, and there are many: tenants know them by how they begin. Only that it was not even asked is ours to say. */
const publicReason = (error: VerdictError): string => {
  const { reason } = error.verdict;
  return error instanceof ProviderError && reason !== PACED && !reason.startsWith('vendor-')
    ? `vendor-${reason}`
    : reason;
};

/**
 * The answering side: does what is asked and gives the reply to send. Never throws; what is no verdict is the answerer's own failure
 * (`server`, `internal-error`), goes to `onError`, and shows nothing of its insides to the one who asked.
 */
export async function answerQuestion(
  provider: AskProvider,
  question: Question,
  asked: Asked,
  onError: (error: unknown) => void,
): Promise<Answered> {
  try {
    const answer = provider[question] as (input: unknown) => Promise<unknown>;
    return { ok: true, value: encodeDates(await answer(decodeDates(asked.input, DATES[question].input))) };
  } catch (error) {
    if (!(error instanceof VerdictError)) {
      onError(error);
      return {
        ok: false,
        error: { outcome: 'server', reason: 'internal-error', message: 'Something went wrong on our side.' },
      };
    }
    const { message, field, fix, retryAfterMs } = error;
    // What a vendor refuses here is our credentials or our request, none of the tenant's doing.
    const outcome = error instanceof ProviderError && error.failure === 'refused' ? 'upstream' : error.verdict.outcome;
    return {
      ok: false,
      error: {
        outcome,
        reason: publicReason(error),
        message,
        ...(field === undefined ? {} : { field }),
        ...(fix === undefined ? {} : { fix }),
        ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      },
    };
  }
}
