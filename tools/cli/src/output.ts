import type { PartylineError } from '@partyline/sdk/error';
import type { Io } from './io.ts';

/** Prints results as text, or as JSON with `--json`. */
export interface Output {
  readonly json: boolean;
  /** Prints one object, a field a line. `fields` selects the fields of the text; JSON always has all. */
  object(value: object, fields?: readonly string[]): void;
  /** Prints objects as a table of `columns`, or `emptyText`. JSON is an array of whole objects. */
  table(rows: readonly object[], columns: readonly string[], emptyText: string): void;
  /** Prints one object of a stream on one line, as `text` or as JSON. */
  line(value: object, text: string): void;
  /** Prints text that JSON output omits. */
  message(text: string): void;
}

export const openOutput = ({ out }: Pick<Io, 'out'>, json: boolean): Output => ({
  json,
  object(value, fields) {
    if (json) return out(JSON.stringify(value, null, 2));
    const shown = flatten(value).filter(
      ([path]) => fields === undefined || fields.some((field) => path === field || path.startsWith(`${field}.`)),
    );
    const width = Math.max(0, ...shown.map(([path]) => path.length));
    for (const [path, text] of shown)
      out(`${path.padEnd(width)}  ${text.replaceAll('\n', `\n${' '.repeat(width + 2)}`)}`);
    return undefined;
  },
  table(rows, columns, emptyText) {
    if (json) return out(JSON.stringify(rows, null, 2));
    if (rows.length === 0) return out(emptyText);
    const cells = rows.map((row) => {
      const fields = new Map(flatten(row));
      return columns.map((column) => fields.get(column) ?? '');
    });
    const widths = columns.map((column, at) => Math.max(column.length, ...cells.map((row) => row[at]!.length)));
    for (const row of [columns.map((column) => column.toUpperCase()), ...cells])
      out(
        row
          .map((cell, at) => cell.padEnd(widths[at]!))
          .join('  ')
          .trimEnd(),
      );
    return undefined;
  },
  line: (value, text) => out(json ? JSON.stringify(value) : text),
  message(text) {
    if (!json) out(text);
  },
});

/** Fields with their path (`room.id`). A list of scalars is joined, a list of objects becomes its length. */
function flatten(value: object, prefix = ''): [path: string, text: string][] {
  return Object.entries(value).flatMap(([name, field]: [string, unknown]): [string, string][] => {
    const path = prefix + name;
    if (field === null || field === undefined) return [[path, '-']];
    if (Array.isArray(field))
      return [[path, field.every((item) => typeof item !== 'object') ? field.join(', ') : String(field.length)]];
    if (typeof field === 'object') return flatten(field, `${path}.`);
    return [[path, typeof field === 'string' ? field : JSON.stringify(field)]];
  });
}

/** Formats an error as text: the message, each wrong field, and the fix. */
export function formatError(error: unknown): string {
  const { message, fix, errors = [], requestId, status } = error as Partial<PartylineError> & Error;
  const fields = errors.map(({ pointer, detail }) => `  ${pointer === '' ? 'the body' : pointer.slice(1)} ${detail}`);
  return [
    `partyline: ${message}`,
    ...fields,
    ...(fix === undefined ? [] : [fix]),
    ...(requestId === undefined || (status ?? 0) < 500 ? [] : [`Request id: ${requestId}`]),
  ].join('\n');
}

/** Formats an error as one line of JSON. */
export const formatErrorAsJson = (error: unknown): string => {
  const { name, message, fix, errors, requestId, status, reason } = error as Partial<PartylineError> & Error;
  return JSON.stringify({
    error: { reason: reason ?? (name === 'UsageError' ? 'usage' : 'failed'), status, message, fix, errors, requestId },
  });
};
