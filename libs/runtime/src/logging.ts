import { pino, type Logger } from 'pino';

export type { Logger } from 'pino';

/** Names under which a secret, a PIN or a phone number might be logged by mistake; their values never are. */
const NEVER = ['pin', 'pins', 'digits', 'phone', 'from', 'to', 'remote', 'token', 'secret', 'authorization', 'apiKey', 'privateKey', 'password'];

/** One JSON line per event on standard output. */
export function openLogger({ service, level }: { service: string; level: string }): Logger {
  return pino({ name: service, level, base: { service }, redact: { paths: NEVER.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: '[redacted]' } });
}
