import { pino, type DestinationStream, type Logger, type LoggerOptions } from 'pino';
import { scrub } from './scrub.ts';

export type { Logger } from 'pino';

/** Names under which a secret, a PIN or a phone number might be logged by mistake; their values never are. */
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
 * What of an error is logged: never what it carries beside its words. ioredis hangs the command on it, AUTH and its password included; pg
 * hangs values of rows on it.
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

/** The ids that a line names are random, and may look like anything. */
const ID_PATTERN = /^[a-z]{2,8}_[\w-]{22}$/;
const scrubFields = (fields: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      name,
      typeof value === 'string' && !ID_PATTERN.test(value) ? scrub(value) : value,
    ]),
  );

/** pino itself falls silent when nobody reads standard output any more. Standard error breaks in the same moment, and then a mere warning of Node's own would end the process. */
function ignoreBrokenPipe(error: Error & { code?: string }): void {
  if (error.code !== 'EPIPE') throw error;
}

/** One JSON line per event, on standard output unless told otherwise. */
export function openLogger({ service, level }: { service: string; level: string }, to?: DestinationStream): Logger {
  const options: LoggerOptions = {
    name: service,
    level,
    base: { service },
    serializers: { err: serializeError },
    redact: { paths: REDACTED_FIELDS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: '[redacted]' },
    formatters: { log: scrubFields },
    hooks: {
      // The words themselves: ours hold nothing, a library's may.
      logMethod(line, method) {
        method.apply(this, line.map((part) => (typeof part === 'string' ? scrub(part) : part)) as typeof line);
      },
    },
  };
  if (to !== undefined) return pino(options, to);
  if (!process.stderr.listeners('error').includes(ignoreBrokenPipe)) process.stderr.on('error', ignoreBrokenPipe);
  return pino(options);
}
