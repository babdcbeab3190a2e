import { styleText } from 'node:util';
import { OPERATIONS } from '@partyline/sdk/generated/operations.gen';
import { PartylineError } from '@partyline/sdk/error';
import type { OperationId } from './fields.ts';
import type { Io } from './io.ts';
import { ADDRESS, providerText, TEXT_BY_REASON, type ReasonText } from './reason-text.ts';

/** An error in the words of the command line. */
export interface DescribedError {
  readonly message: string;
  /** One line per invalid value. */
  readonly values: readonly string[];
  readonly fix: string | undefined;
  /** For the operator, when the fault is on the side of the server. */
  readonly requestId: string | undefined;
}

/** What the command that failed calls things. */
export interface CommandNames {
  readonly commandOf: (operation: OperationId) => string | undefined;
  /** The option, argument or file that sets a field, such as `limits/maxLiveRooms`. */
  readonly inputOf: (field: string) => string | undefined;
}

const tryLater = (seconds: number | undefined): string =>
  `Wait ${seconds === undefined ? 'a few seconds' : `${seconds} s`}, then repeat the command.`;

/**
 * Words an error for the user of a command: no requests, headers and statuses, but commands and
 * options.
 */
export function describeError(error: unknown, names: CommandNames): DescribedError {
  const {
    message,
    fix,
    errors = [],
    requestId,
    status = 0,
    retryAfterSeconds,
  } = error as Partial<PartylineError> & Error;
  const text = error instanceof PartylineError ? findText(error) : undefined;
  const apiFix = fix === undefined ? undefined : replaceApiWords(fix, names);
  const ownFix = [
    ...(text?.hasApiFix === true && apiFix !== undefined ? [apiFix] : []),
    ...(text?.passes === true ? [tryLater(retryAfterSeconds)] : []),
    ...(text === undefined ? [] : [text.fix]),
  ].join(' ');
  return {
    message: text?.message ?? replaceApiWords(message, names),
    values: errors
      // A single invalid value repeats the message.
      .filter(({ detail }) => (text?.message === undefined ? detail !== message : text.message.endsWith(':')))
      .map(({ pointer, detail }) => `${nameValue(pointer, names)}: ${replaceApiWords(detail, names)}`),
    fix: ownFix === '' ? apiFix : ownFix,
    requestId: status >= 500 ? requestId : undefined,
  };
}

function findText({ reason, status }: PartylineError): ReasonText | undefined {
  if (reason.startsWith('upstream-')) return providerText(reason, status);
  return Object.hasOwn(TEXT_BY_REASON, reason) ? TEXT_BY_REASON[reason] : undefined;
}

/** Options that are headers of the API. */
const OPTION_BY_HEADER: Readonly<Record<string, string>> = { 'If-Match': '--if-version', 'Last-Event-ID': '--after' };

/** Names an invalid value as it was given: `--max-duration`, `<name>`, `voice.apiKey in --file`. */
function nameValue(pointer: string, { inputOf }: CommandNames): string {
  const path = pointer.split('/').slice(1);
  const [outer = '', inner = ''] = path;
  if (outer === '') return 'the input';
  // The items of a list of objects have the fields.
  const field = /^\d+$/.test(inner) ? (path[2] ?? outer) : `${outer}/${inner}`;
  const input = OPTION_BY_HEADER[outer] ?? inputOf(field) ?? inputOf(outer);
  return input === '--file' ? `${path.join('.')} in --file` : (input ?? path.join('.'));
}

/** Replaces what only the API has: requests by commands, and fields by options. */
function replaceApiWords(text: string, names: CommandNames): string {
  const inputOf = (word: string): string => names.inputOf(word) ?? word;
  return replaceRequests(
    text.replaceAll(/`(\w+)`/g, (_, word: string) => inputOf(word)),
    names,
  )
    .replaceAll(/\b[a-z]+[A-Z]\w*\b/g, inputOf)
    .replaceAll(/\b([Tt]he) body\b/g, '$1 input')
    .replace('the base URL', ADDRESS);
}

/** Replaces `GET /v1/rooms` by the command that calls it. */
export const replaceRequests = (text: string, { commandOf }: Pick<CommandNames, 'commandOf'>): string =>
  text
    .replaceAll(
      /`?\b(GET|POST|PUT|PATCH|DELETE) (\/v1\/[\w{}/-]*[\w}])(\?[\w.=&]+)?`?/g,
      (whole, method: string, path: string) => {
        const shape = path.replaceAll(/\{\w+\}/g, '{}');
        const found = Object.entries(OPERATIONS).find(
          ([, operation]) => operation.method === method && operation.path.replaceAll(/\{\w+\}/g, '{}') === shape,
        );
        const command = found === undefined ? undefined : commandOf(found[0] as OperationId);
        return command === undefined ? whole : `partyline ${command}`;
      },
    )
    .replaceAll(/`?idempotency-key`?/gi, '--idempotency-key')
    .replaceAll('`', '');

/** Formats an error as text: the message, each invalid value, and the fix. */
export function formatError(
  { message, values, fix, requestId }: DescribedError,
  { hasErrorColour }: Pick<Io, 'hasErrorColour'>,
): string {
  const label = 'partyline:';
  return [
    `${hasErrorColour ? styleText('red', label, { validateStream: false }) : label} ${message}`,
    ...values.map((line) => `  ${line}`),
    ...(fix === undefined ? [] : [fix]),
    ...(requestId === undefined ? [] : [`Request id: ${requestId}`]),
  ].join('\n');
}

/** Formats an error as one line of JSON, with the fields as the API names them. */
export function formatErrorAsJson(error: unknown, { message, fix }: DescribedError): string {
  const { name, errors, requestId, status, reason } = error as Partial<PartylineError> & Error;
  return JSON.stringify({
    error: { reason: reason ?? (name === 'UsageError' ? 'usage' : 'failed'), status, message, fix, errors, requestId },
  });
}
