import { AsyncLocalStorage } from 'node:async_hooks';
import { pino, type DestinationStream, type Logger, type LoggerOptions } from 'pino';
import { scrub } from './scrub.ts';

export type { Logger } from 'pino';

/** Field names that could hold a secret, a PIN or a phone number. Their values are redacted. */
const REDACTED_FIELDS = [
  'pin',
  'pins',
  'digits',
  'phone',
  'from',
  'to',
  'remote',
  'token',
  'secret',
  'authorization',
  'apiKey',
  'privateKey',
  'password',
];

/**
 * Selects the fields of an error that are logged. Other properties are dropped: ioredis attaches
 * the command, including the password of AUTH, and pg attaches row values.
 */
const serializeError = (error: unknown): object =>
  error instanceof Error
    ? {
        type: error.name,
        message: scrub(error.message),
        code: (error as { code?: unknown }).code,
        stack: scrub(error.stack ?? ''),
      }
    : { message: scrub(String(error)) };

/** Ids are random and can look like a secret, so they are not scrubbed. */
const ID_PATTERN = /^(?:[a-z]{2,8}_[\w-]{22}|[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12})$/i;

/**
 * Whether the log holds a text as it is: an id, or a text that does not look like a secret or a
 * number.
 */
export const isLoggable = (text: string): boolean => ID_PATTERN.test(text) || scrub(text) === text;

/** The id of an API key, in the field `keyId`: one in 280 looks like a number. */
const KEY_ID_PATTERN = /^[\da-f]{12}$/;

const isKeyId = (name: string, value: string): boolean => name === 'keyId' && KEY_ID_PATTERN.test(value);

const scrubFields = (fields: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      name,
      typeof value === 'string' && !isLoggable(value) && !isKeyId(name, value) ? scrub(value) : value,
    ]),
  );

/**
 * pino stops writing when standard output is closed. Standard error closes at the same time, and a
 * warning from Node would then end the process with EPIPE.
 */
function ignoreBrokenPipe(error: Error & { code?: string }): void {
  if (error.code !== 'EPIPE') throw error;
}

interface RequestContext {
  readonly requestId: string;
  readonly isAnswered: () => boolean;
}

/**
 * The request that the current code works for. Log lines name it until it is answered: a connection
 * that it opened lives longer, and fails for other reasons.
 */
export const currentRequest = new AsyncLocalStorage<RequestContext>();

function nameRequest(): { readonly requestId?: string } {
  const request = currentRequest.getStore();
  return request === undefined || request.isAnswered() ? {} : { requestId: request.requestId };
}

/** Opens a logger that writes one JSON line per event, to `to` or to standard output. */
export function openLogger({ service, level }: { service: string; level: string }, to?: DestinationStream): Logger {
  const options: LoggerOptions = {
    name: service,
    level,
    base: { service },
    mixin: nameRequest,
    serializers: { err: serializeError },
    redact: { paths: REDACTED_FIELDS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: '[redacted]' },
    formatters: { log: scrubFields },
    hooks: {
      // Messages of libraries may contain secrets.
      logMethod(line, method) {
        method.apply(this, line.map((part) => (typeof part === 'string' ? scrub(part) : part)) as typeof line);
      },
    },
  };
  if (to !== undefined) return pino(options, to);
  if (!process.stderr.listeners('error').includes(ignoreBrokenPipe)) process.stderr.on('error', ignoreBrokenPipe);
  return pino(options);
}
