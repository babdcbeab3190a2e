import { OPERATIONS, type Field } from '@partyline/sdk/generated/operations.gen';
import { InvalidArgumentError, Option } from 'commander';
import { UsageError } from './exit-codes.ts';
import { findSimilarWord } from './find-similar-word.ts';

export type OperationId = keyof typeof OPERATIONS;

/** The options of a command that are the fields of an operation. */
export interface FieldSource {
  readonly operation: OperationId;
  /** Default: the body. */
  readonly from?: 'body' | 'query';
  /** Fields that the command's arguments set. */
  readonly omit?: readonly string[];
}

export interface FieldOption {
  /** The names from the request to the field: `limits`, `maxLiveRooms`. */
  readonly path: readonly string[];
  readonly option: Option;
}

/** Paging belongs to `--limit`. */
const PAGING = ['limit', 'after'];
/** The fields of these objects have other prefixes than the object's name. */
const PREFIXES: Readonly<Record<string, string>> = { limits: '', fraudLimits: 'fraud-' };

export const toKebab = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** The flag of a field: `roomId` is `--room`, amounts and durations have no unit in the name. */
const toFlag = (name: string): string =>
  toKebab(
    name
      .replace(/^(room|session|leg|tenant|providerAccount)Id$/, '$1')
      .replace('Micro', '')
      .replace(/Seconds$/, ''),
  );

/** Lists the options for the fields of an operation, in the order of the API. */
export function listFieldOptions({ operation, from = 'body', omit = [] }: FieldSource): FieldOption[] {
  const fields: readonly Field[] = OPERATIONS[operation][from];
  return fields
    .filter(({ name }) => !omit.includes(name) && !(from === 'query' && PAGING.includes(name)))
    .flatMap((field) => {
      if (field.type !== 'object' || isThresholds(field)) return [toOption([field.name], toFlag(field.name), field)];
      const prefix = PREFIXES[field.name] ?? `${toFlag(field.name)}-`;
      return field.fields.map((inner) => toOption([field.name, inner.name], `${prefix}${toFlag(inner.name)}`, inner));
    });
}

const isThresholds = ({ fields }: Field): boolean =>
  fields.length === 2 && fields[0]!.name === 'warn' && fields[1]!.name === 'critical';

function toOption(path: readonly string[], flag: string, field: Field): FieldOption {
  const { placeholder, parse, words } = valueOf(field);
  const text = field.description
    .replaceAll('`', '')
    .replace(/,? in millionths of (your|the) currency( unit)?(, as text)?/, '')
    .replace(/^True if /, '');
  const notes = [...(words === undefined ? [] : [words]), ...(field.nullable ? ['none: off'] : [])];
  const description = `${text.charAt(0).toLowerCase()}${text.slice(1)}${notes.length === 0 ? '' : ` (${notes.join('; ')})`}`;
  const option = new Option(`--${flag} <${placeholder}>`, description);
  // Commander drops a null option, so `none` stays a word until `readFields`.
  option.argParser((value: string) => (field.nullable && value === 'none' ? value : parse(value)));
  return { path, option };
}

interface ValueSyntax {
  readonly placeholder: string;
  readonly parse: (text: string) => unknown;
  /** How the value is written, for the help. */
  readonly words?: string;
}

function valueOf(field: Field): ValueSyntax {
  const { name, type, values, nullable } = field;
  if (isThresholds(field)) return { placeholder: 'warn:critical', parse: parseThresholds };
  if (type === 'other') return { placeholder: 'json', parse: parseObject };
  if (type === 'boolean') return { placeholder: 'yes|no', parse: parseYesNo };
  if (type === 'list')
    return {
      placeholder: `${placeholderOf(name.replace(/ies$/, 'y').replace(/s$/, ''))},...`,
      parse: (text) => (text === 'none' ? [] : parseList(text, values)),
      words: `comma-separated${values.length === 0 ? '; none: empty' : `: ${values.join(', ')}`}`,
    };
  if (values.join() === 'true,false') return { placeholder: 'yes|no', parse: (text) => String(parseYesNo(text)) };
  if (values.length > 0)
    return { placeholder: values.join('|'), parse: (text) => parseWord(text, nullable ? [...values, 'none'] : values) };
  if (name.includes('Micro')) return { placeholder: 'amount', parse: parseAmount, words: 'such as 9.50' };
  if (name.endsWith('Seconds')) return { placeholder: 'duration', parse: parseDuration, words: 'such as 90s, 30m, 2h' };
  if (type === 'integer') return { placeholder: 'n', parse: parseInteger };
  if (/(At|After|Before)$|^(from|to|since|until)$/.test(name))
    return { placeholder: 'time', parse: (text) => text, words: 'such as 2026-05-04T09:30:00Z' };
  return { placeholder: placeholderOf(name), parse: (text) => text };
}

/** The last word of a flag: `country` for `homeCountry`. */
const placeholderOf = (name: string): string => toFlag(name).split('-').at(-1)!;

/** The flag of a field, such as `limits/maxLiveRooms`; of an object, the beginning of its flags. */
export function flagOfField(options: readonly FieldOption[], field: string): string | undefined {
  const exact = options.find(({ path }) => path.join('/') === field)?.option.long;
  if (exact !== undefined && exact !== null) return exact;
  return options.some(({ path }) => path.length > 1 && path[0] === field) ? `--${toKebab(field)}-*` : undefined;
}

/**
 * Reads the fields that were given from Commander's values.
 * @returns the request, with nested objects and null for `none`
 */
export function readFields(options: readonly FieldOption[], values: Readonly<Record<string, unknown>>): object {
  const request: Record<string, unknown> = {};
  for (const { path, option } of options) {
    const value = values[option.attributeName()];
    if (value === undefined) continue;
    const [outer = '', inner] = path;
    const given = value === 'none' ? null : value;
    if (inner === undefined) request[outer] = given;
    else request[outer] = { ...(request[outer] as object | undefined), [inner]: given };
  }
  return request;
}

export function parseInteger(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('Use a whole number.');
  return Number(text);
}

export function parseLimit(text: string): number {
  if (!/^\d+$/.test(text) || Number(text) < 1) throw new InvalidArgumentError('Use a whole number of at least 1.');
  return Number(text);
}

export function parseYesNo(text: string): boolean {
  if (text !== 'yes' && text !== 'no') throw new InvalidArgumentError('Use yes or no.');
  return text === 'yes';
}

export function parseWord<T extends string>(text: string, words: readonly T[]): T {
  const word = words.find((each) => each === text);
  if (word === undefined) throw new InvalidArgumentError(`Use ${words.join(' or ')}.`);
  return word;
}

/** Parses a comma-separated list; without `words`, of any words. */
export function parseList<T extends string>(text: string, words: readonly T[]): T[] {
  const list = text.split(',');
  const unknown = words.length === 0 ? undefined : list.find((each) => !(words as readonly string[]).includes(each));
  if (unknown === undefined) return list as T[];
  const similar = findSimilarWord(unknown, words);
  throw new InvalidArgumentError(
    `There is no ${unknown}. ${similar === undefined ? `Use ${words.join(', ')}.` : `Did you mean ${similar}?`}`,
  );
}

const SECONDS_BY_UNIT: Readonly<Record<string, number>> = { '': 1, s: 1, m: 60, h: 3_600, d: 86_400 };
/** `90`, `90s`, `30m`, `2h`, `1d`, in seconds. */
export function parseDuration(text: string): number {
  const [, count, unit = ''] = /^(\d+)([smhd]?)$/.exec(text) ?? [];
  if (count === undefined) throw new InvalidArgumentError('Use seconds, or a duration such as 90s, 30m or 2h.');
  return Number(count) * SECONDS_BY_UNIT[unit]!;
}

/** An amount in currency units, as the API's text of millionths: `9.5` is `9500000`. */
export function parseAmount(text: string): string {
  const [, whole, fraction = ''] = /^(\d{1,12})(?:\.(\d{1,6}))?$/.exec(text) ?? [];
  if (whole === undefined)
    throw new InvalidArgumentError('Use an amount such as 9.50, with at most six decimals and without the currency.');
  return `${whole}${fraction.padEnd(6, '0')}`.replace(/^0+(?=\d)/, '');
}

function parseThresholds(text: string): { warn: number; critical: number } {
  const [, warn, critical] = /^(\d+):(\d+)$/.exec(text) ?? [];
  if (warn === undefined) throw new InvalidArgumentError('Use warn:critical, such as 100:300.');
  return { warn: Number(warn), critical: Number(critical) };
}

function parseObject(text: string): object {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch {
    // The message below names the form.
  }
  throw new InvalidArgumentError(`Use a JSON object, such as '{"team":"sales"}'.`);
}

/** Parses an argument, for which Commander has no message. */
export function parseAmountOrNone(text: string): string | null {
  if (text === 'none') return null;
  try {
    return parseAmount(text);
  } catch (error) {
    throw new UsageError(`${text} is not an amount.`, (error as Error).message);
  }
}
