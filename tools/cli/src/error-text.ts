import { styleText } from 'node:util';
import { OPERATIONS } from '@partyline/sdk/generated/operations.gen';
import { PartylineError } from '@partyline/sdk/error';
import type { OperationId } from './fields.ts';
import type { Io } from './io.ts';

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
  /** The flag of a field, such as `limits/maxLiveRooms`. */
  readonly flagOf: (field: string) => string | undefined;
  readonly args: readonly string[];
}

const ADDRESS = 'the address (PARTYLINE_URL, or partyline login --url)';

/** Reasons whose message in the API speaks of requests and headers. */
const TEXT_BY_REASON: Readonly<Record<string, { readonly message: string; readonly fix: string }>> = {
  'not-partyline': {
    message: 'Another server than Partyline answers at this address.',
    fix: `Check ${ADDRESS}, and any proxy on the way.`,
  },
  'route-not-found': {
    message: 'This Partyline does not know the command.',
    fix: 'It may be older than this tool: partyline doctor compares the versions.',
  },
  'invalid-body': { message: 'Some values are invalid:', fix: 'Correct them and try again.' },
  'invalid-query': { message: 'Some values are invalid:', fix: 'Correct them and try again.' },
  'body-too-large': { message: 'The input is larger than 64 kB.', fix: 'Send at most 64 kB.' },
  'idempotency-key-reused': {
    message: 'This --idempotency-key belongs to another command.',
    fix: 'Use a new key, or leave the option out.',
  },
  'idempotency-in-progress': {
    message: 'The same command with this --idempotency-key is still running.',
    fix: 'Wait a few seconds and repeat it.',
  },
  'invalid-idempotency-key': {
    message: 'The --idempotency-key is invalid.',
    fix: 'Use 1 to 255 printable ASCII characters.',
  },
  'version-mismatch': {
    message: 'The room has another version than --if-version.',
    fix: 'Look at it again with partyline rooms show, and use the version that it prints.',
  },
};

/** Words an error for the user of a command: no paths, headers and statuses, but commands and options. */
export function describeError(error: unknown, names: CommandNames): DescribedError {
  const { message, fix, errors = [], requestId, status = 0, reason } = error as Partial<PartylineError> & Error;
  const own = error instanceof PartylineError ? TEXT_BY_REASON[reason ?? ''] : undefined;
  return {
    message: own?.message ?? replaceFields(replaceRequests(message, names), names),
    values: errors.map(
      ({ pointer, detail }) => `${nameValue(pointer, names)}: ${replaceFields(replaceRequests(detail, names), names)}`,
    ),
    fix: own?.fix ?? (fix === undefined ? undefined : replaceRequests(fix.replace('the base URL', ADDRESS), names)),
    requestId: status >= 500 ? requestId : undefined,
  };
}

/** Names an invalid value as it was given: `--max-duration`, `<name>`. */
function nameValue(pointer: string, { flagOf, args }: CommandNames): string {
  const name = pointer.replace(/^\//, '');
  const [outer = '', inner] = name.split('/');
  const flag = flagOf(`${outer}/${inner}`) ?? flagOf(outer);
  if (flag !== undefined) return flag;
  if (args.includes(outer)) return `<${outer}>`;
  return name === '' ? 'the input' : name;
}

/** Replaces the name of a field, such as `numberWanted`, by its flag. */
const replaceFields = (text: string, { flagOf }: CommandNames): string =>
  text.replaceAll(/\b[a-z]+[A-Z]\w*\b/g, (word) => flagOf(word) ?? word);

/** Replaces `GET /v1/rooms` by the command that calls it, and the words of HTTP. */
export const replaceRequests = (text: string, { commandOf }: Pick<CommandNames, 'commandOf'>): string =>
  text
    .replaceAll(/`?\b(GET|POST|PUT|PATCH|DELETE) (\/v1\/[\w{}/-]*[\w}])`?/g, (whole, method: string, path: string) => {
      const shape = path.replaceAll(/\{\w+\}/g, '{}');
      const found = Object.entries(OPERATIONS).find(
        ([, operation]) => operation.method === method && operation.path.replaceAll(/\{\w+\}/g, '{}') === shape,
      );
      const command = found === undefined ? undefined : commandOf(found[0] as OperationId);
      return command === undefined ? whole : `partyline ${command}`;
    })
    .replaceAll(/`?idempotency-key`?/gi, '--idempotency-key')
    .replaceAll(/the `?requestId`?/g, 'the request id below')
    .replaceAll('`', '');

/** Formats an error as text: the message, each invalid value, and the fix. */
export function formatError(
  { message, values, fix, requestId }: DescribedError,
  { hasColour }: Pick<Io, 'hasColour'>,
): string {
  const label = 'partyline:';
  return [
    `${hasColour ? styleText('red', label, { validateStream: false }) : label} ${message}`,
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
