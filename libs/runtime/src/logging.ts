import { pino, type DestinationStream, type Logger, type LoggerOptions } from 'pino';

export type { Logger } from 'pino';

/** Names under which a secret, a PIN or a phone number might be logged by mistake; their values never are. */
const NEVER = ['pin', 'pins', 'digits', 'phone', 'from', 'to', 'remote', 'token', 'secret', 'authorization', 'apiKey', 'privateKey', 'password'];

/**
 * What of an error is logged: never what it carries beside its words. ioredis hangs the command on it, AUTH and its password included; pg
 * hangs values of rows on it.
 */
const plainError = (error: unknown): object =>
  error instanceof Error ? { type: error.name, message: error.message, code: (error as { code?: unknown }).code, stack: error.stack } : { message: String(error) };

/** One JSON line per event, on standard output unless told otherwise. */
export function openLogger({ service, level }: { service: string; level: string }, to?: DestinationStream): Logger {
  const options: LoggerOptions = { name: service, level, base: { service }, serializers: { err: plainError }, redact: { paths: NEVER.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: '[redacted]' } };
  return to === undefined ? pino(options) : pino(options, to);
}
