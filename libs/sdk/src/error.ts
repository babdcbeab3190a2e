import type { Problem } from './generated/types.gen.ts';

/** What the API said no with, or why it could not be asked. `reason` is for programs, `message` and `fix` for people. */
export class PartylineError extends Error {
  override readonly name: string = 'PartylineError';
  /** The HTTP status; 0 when there was no answer. */
  readonly status: number;
  /** In kebab case, as docs/api.md lists them; without an answer `no-answer`, and `not-partyline` when something else answered. */
  readonly reason: string;
  /** The next step, in a sentence, where there is one. */
  readonly fix: string | undefined;
  /** Each wrong field with its JSON pointer. */
  readonly errors: readonly { readonly pointer: string; readonly detail: string }[];
  /** What to give us when you ask. */
  readonly requestId: string | undefined;
  /** Seconds to wait before trying again, where the API said so. */
  readonly retryAfterSeconds: number | undefined;

  constructor(
    status: number,
    reason: string,
    message: string,
    more: {
      fix?: string | undefined;
      errors?: PartylineError['errors'];
      requestId?: string | undefined;
      retryAfterSeconds?: number | undefined;
      cause?: unknown;
    } = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.status = status;
    this.reason = reason;
    this.fix = more.fix;
    this.errors = more.errors ?? [];
    this.requestId = more.requestId;
    this.retryAfterSeconds = more.retryAfterSeconds;
  }
}

/** 401: the key is missing, unknown, revoked or expired. */
export class AuthenticationError extends PartylineError {
  override readonly name = 'AuthenticationError';
}
/** 403: the key may not do this. */
export class PermissionError extends PartylineError {
  override readonly name = 'PermissionError';
}
/** 404. */
export class NotFoundError extends PartylineError {
  override readonly name = 'NotFoundError';
}
/** 409 and 412: what is asked for does not go with how things stand. */
export class ConflictError extends PartylineError {
  override readonly name = 'ConflictError';
}
/** 400, 413, 415, 422: `errors` points at each wrong field. */
export class InvalidInputError extends PartylineError {
  override readonly name = 'InvalidInputError';
}
/** 429, still so after the retries. */
export class RateLimitError extends PartylineError {
  override readonly name = 'RateLimitError';
}
/** 502 and 504: the provider refused, or gave no answer. */
export class ProviderFailedError extends PartylineError {
  override readonly name = 'ProviderFailedError';
}
/** 503, still so after the retries, and every other fault of ours. */
export class ServerError extends PartylineError {
  override readonly name = 'ServerError';
}
/** No answer, after the retries. A write may have been done: repeat it with the same `idempotencyKey` to learn. */
export class ConnectionError extends PartylineError {
  override readonly name = 'ConnectionError';
}

type Kind = new (...given: ConstructorParameters<typeof PartylineError>) => PartylineError;
const KINDS: Readonly<Record<number, Kind>> = {
  400: InvalidInputError,
  401: AuthenticationError,
  402: PermissionError,
  403: PermissionError,
  404: NotFoundError,
  409: ConflictError,
  410: NotFoundError,
  412: ConflictError,
  413: InvalidInputError,
  415: InvalidInputError,
  422: InvalidInputError,
  428: ConflictError,
  429: RateLimitError,
  502: ProviderFailedError,
  504: ProviderFailedError,
};

const isProblem = (body: unknown): body is Problem =>
  typeof body === 'object' &&
  body !== null &&
  typeof (body as Problem).reason === 'string' &&
  typeof (body as Problem).detail === 'string';

/** An answer that is no success, as an error. `body` is the problem, parsed, or whatever else came. */
export function toError(response: Response, body: unknown): PartylineError {
  const { status, headers } = response;
  const retryAfter = headers.get('retry-after');
  const retryAfterSeconds = retryAfter !== null && /^\d+$/.test(retryAfter) ? Number(retryAfter) : undefined;
  const AnError = KINDS[status] ?? (status >= 500 ? ServerError : PartylineError);
  if (isProblem(body))
    return new AnError(status, body.reason, body.detail, {
      fix: body.fix,
      errors: body.errors ?? [],
      requestId: body.requestId,
      retryAfterSeconds,
    });
  return new AnError(status, 'not-partyline', `The answer (${status}) is not one of Partyline’s.`, {
    fix: 'Check the base URL, and what stands between you and the API.',
    retryAfterSeconds,
  });
}

/** No answer at all. */
export const toConnectionError = (url: string, cause: unknown): ConnectionError =>
  new ConnectionError(0, 'no-answer', `${new URL(url).origin} gave no answer: ${innermost(cause)}`, {
    fix: 'Check the base URL and the network.',
    cause,
  });

/** What a failed fetch is about stands in its cause. */
function innermost(error: unknown): string {
  const { cause, message, errors } = error as { cause?: unknown; message?: string; errors?: unknown[] };
  if (cause instanceof Error) return innermost(cause);
  return (message ?? '') !== '' ? String(message) : errors?.[0] instanceof Error ? errors[0].message : String(error);
}
