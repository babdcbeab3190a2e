import type { Problem } from './generated/types.gen.ts';

/**
 * An error response of the API, or a request without one. Programs read `reason`; users read
 * `message` and `fix`.
 */
export class PartylineError extends Error {
  override readonly name: string = 'PartylineError';
  /** The HTTP status; 0 without a response. */
  readonly status: number;
  /**
   * A code of docs/api.md, or `no-answer` (no response), `not-partyline` (response of another
   * server), `invalid-options` (an option, an id or a secret is missing; nothing was sent),
   * `webhook-rejected`.
   */
  readonly reason: string;
  /** The next step, as a sentence. */
  readonly fix: string | undefined;
  /** The invalid fields, by JSON pointer. */
  readonly errors: readonly { readonly pointer: string; readonly detail: string }[];
  /** Include it when you contact the operator. */
  readonly requestId: string | undefined;
  /** Seconds to wait before a retry, if the response states them. */
  readonly retryAfterSeconds: number | undefined;

  constructor(
    status: number,
    reason: string,
    message: string,
    details: {
      fix?: string | undefined;
      errors?: PartylineError['errors'];
      requestId?: string | undefined;
      retryAfterSeconds?: number | undefined;
      cause?: unknown;
    } = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.status = status;
    this.reason = reason;
    this.fix = details.fix;
    this.errors = details.errors ?? [];
    this.requestId = details.requestId;
    this.retryAfterSeconds = details.retryAfterSeconds;
  }
}

/** 401: the key is missing, unknown, revoked or expired. */
export class AuthenticationError extends PartylineError {
  override readonly name = 'AuthenticationError';
}
/** 402: the spend limit is reached. 403: the key lacks the scope. */
export class PermissionError extends PartylineError {
  override readonly name = 'PermissionError';
}
/** 404, 405 and 410. */
export class NotFoundError extends PartylineError {
  override readonly name = 'NotFoundError';
}
/** 409, 412, 428: the request conflicts with the current state. */
export class ConflictError extends PartylineError {
  override readonly name = 'ConflictError';
}
/** 400, 413, 415, 422, 431: `errors` lists the invalid fields. */
export class InvalidInputError extends PartylineError {
  override readonly name = 'InvalidInputError';
}
/** 429 after the last retry. */
export class RateLimitError extends PartylineError {
  override readonly name = 'RateLimitError';
}
/** 502: the provider rejected the request. 504: it sent no response. */
export class ProviderFailedError extends PartylineError {
  override readonly name = 'ProviderFailedError';
}
/** 408 and 503 after the last retry, and any other 5xx. */
export class ServerError extends PartylineError {
  override readonly name = 'ServerError';
}
/**
 * No response after the last retry. A write may have been performed: repeat it with the same
 * `idempotencyKey`.
 */
export class ConnectionError extends PartylineError {
  override readonly name = 'ConnectionError';
}

type ErrorClass = new (...parameters: ConstructorParameters<typeof PartylineError>) => PartylineError;
const CLASS_BY_STATUS: Readonly<Record<number, ErrorClass>> = {
  400: InvalidInputError,
  401: AuthenticationError,
  402: PermissionError,
  403: PermissionError,
  404: NotFoundError,
  405: NotFoundError,
  408: ServerError,
  409: ConflictError,
  410: NotFoundError,
  412: ConflictError,
  413: InvalidInputError,
  415: InvalidInputError,
  422: InvalidInputError,
  428: ConflictError,
  429: RateLimitError,
  431: InvalidInputError,
  502: ProviderFailedError,
  504: ProviderFailedError,
};

const isProblem = (body: unknown): body is Problem =>
  typeof body === 'object' &&
  body !== null &&
  typeof (body as Problem).reason === 'string' &&
  typeof (body as Problem).detail === 'string';

/** Converts a response other than 2xx. @param body the parsed problem, or any other body */
export function toError(response: Response, body: unknown): PartylineError {
  const { status, headers } = response;
  const retryAfter = headers.get('retry-after');
  const retryAfterSeconds = retryAfter !== null && /^\d+$/.test(retryAfter) ? Number(retryAfter) : undefined;
  const StatusError = CLASS_BY_STATUS[status] ?? (status >= 500 ? ServerError : PartylineError);
  if (isProblem(body))
    return new StatusError(status, body.reason, body.detail, {
      fix: body.fix,
      errors: body.errors ?? [],
      requestId: body.requestId,
      retryAfterSeconds,
    });
  return new StatusError(status, 'not-partyline', `The response (${status}) does not come from a Partyline API.`, {
    fix: 'Check the base URL, and any proxy between you and the API.',
    retryAfterSeconds,
  });
}

/** What a failed connection means, by the code of Node's error or the code of TLS. */
const CONNECTION_FAILURES: readonly (readonly [pattern: RegExp, text: string, fix: string])[] = [
  [/ECONNREFUSED/, 'refused the connection', 'Check the base URL, and that the API runs there.'],
  [/ENOTFOUND|EAI_AGAIN/, 'cannot be found: its host name does not resolve', 'Check the host name of the base URL.'],
  [/EHOSTUNREACH|ENETUNREACH/, 'cannot be reached', 'Check the network and the base URL.'],
  [/ETIMEDOUT|TIMEOUT|Timeout/, 'did not answer in time', 'Try again. If it persists, check the network.'],
  [/ECONNRESET|EPIPE|UND_ERR_SOCKET/, 'closed the connection without an answer', 'Try again.'],
  [/CERT|SELF_SIGNED|ERR_TLS/, 'has a certificate that is not trusted', 'Check the host name and its certificate.'],
];

/** Converts a failure of fetch. */
export function toConnectionError(url: string, cause: unknown): ConnectionError {
  const root = rootCause(cause);
  const { code = '', name = '', message = '' } = root as { code?: string | number; name?: string; message?: string };
  const [, text, fix] = CONNECTION_FAILURES.find(([pattern]) => pattern.test(`${code} ${name}`)) ?? [];
  return new ConnectionError(
    0,
    'no-answer',
    `${new URL(url).origin} ${text ?? `sent no response: ${message === '' ? String(root) : message}`}.`,
    { fix: fix ?? 'Check the base URL and the network.', cause },
  );
}

/** `fetch` reports the actual failure in the error's cause; several addresses in its errors. */
function rootCause(error: unknown): unknown {
  const { cause, errors } = error as { cause?: unknown; errors?: unknown[] };
  if (cause instanceof Error) return rootCause(cause);
  return errors?.[0] instanceof Error ? rootCause(errors[0]) : error;
}
