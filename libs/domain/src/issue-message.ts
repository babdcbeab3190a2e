import { closestWord } from './closest-word.ts';

/** The part of a zod issue that `describeIssue` reads. */
interface SchemaIssue {
  readonly code?: string | undefined;
  readonly input?: unknown;
  readonly expected?: unknown;
  readonly origin?: unknown;
  readonly format?: unknown;
  readonly minimum?: unknown;
  readonly maximum?: unknown;
  readonly inclusive?: unknown;
  readonly divisor?: unknown;
  readonly values?: readonly unknown[];
  readonly options?: readonly unknown[];
  readonly keys?: readonly string[];
  /** The schema that found the issue. An object schema has a shape. */
  readonly inst?: unknown;
}

const TYPES: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  bigint: 'a whole number',
  boolean: 'true or false',
  object: 'an object',
  record: 'an object',
  array: 'a list',
  date: 'a time',
  null: 'null',
};
const FORMATS: Readonly<Record<string, string>> = {
  datetime: 'must be a time in RFC 3339, for example 2026-05-04T09:30:00Z or 2026-05-04T11:30:00+02:00',
  date: 'must be a date, for example 2026-05-04',
  url: 'must be a URL',
  uuid: 'must be a UUID',
};
const UNITS: Readonly<Record<string, string>> = { string: ' characters', array: ' items', set: ' items' };

const oneOf = (values: readonly unknown[]): string =>
  `must be ${values.length > 1 ? 'one of ' : ''}${values.join(', ')}`;

/** A bound, such as "at least 2" or "have at most 120 characters". */
const bound = ({ origin, inclusive }: SchemaIssue, limit: unknown, words: readonly [string, string]): string =>
  `must ${String(origin) in UNITS ? 'have' : 'be'} ${words[inclusive === false ? 1 : 0]} ${String(limit)}${UNITS[String(origin)] ?? ''}`;

function knownFields({ inst }: SchemaIssue): string[] {
  const { shape = {} } = (inst as { readonly def?: { readonly shape?: object } } | undefined)?.def ?? {};
  return Object.keys(shape);
}

function describeUnknownField(name: string, known: readonly string[]): string {
  const meant = closestWord(name, known);
  return meant === null ? 'is not a known field' : `is not a known field: did you mean ${meant}?`;
}

/**
 * The message of a schema issue, as a predicate of its field: "must be a list". zod uses it for
 * every check that has no message of its own, so that no reader sees the words of the library.
 * Unknown fields get one line each, in the order of `keys`.
 */
export function describeIssue(issue: SchemaIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined ? 'is required' : `must be ${TYPES[String(issue.expected)] ?? 'another value'}`;
    case 'invalid_value':
      return issue.input === undefined ? 'is required' : oneOf(issue.values ?? []);
    case 'invalid_union':
      return issue.options === undefined ? 'has none of the accepted forms' : oneOf(issue.options);
    case 'too_small':
      return bound(issue, issue.minimum, ['at least', 'more than']);
    case 'too_big':
      return bound(issue, issue.maximum, ['at most', 'less than']);
    case 'invalid_format':
      return FORMATS[String(issue.format)] ?? 'has the wrong form';
    case 'not_multiple_of':
      return `must be a multiple of ${String(issue.divisor)}`;
    case 'unrecognized_keys':
      return (issue.keys ?? []).map((key) => describeUnknownField(key, knownFields(issue))).join('\n');
    case 'invalid_key':
      return 'must not have this name';
    default:
      return 'is not valid';
  }
}
