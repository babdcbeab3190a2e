import type { PartylineError } from '@partyline/sdk/error';
import type { Io } from './io.ts';

/** Prints what a command found: for people, or as JSON. */
export interface Output {
  readonly json: boolean;
  /** One thing: its fields, a line each; as JSON all of it. `only`: the fields to show people. */
  thing(value: object, only?: readonly string[]): void;
  /** Things: a table of these columns; as JSON a list of all of them. */
  table(rows: readonly object[], columns: readonly string[], none: string): void;
  /** One of many that come over time; as JSON one line. */
  line(value: object, text: string): void;
  /** What only people want to read. */
  say(text: string): void;
}

export const openOutput = ({ out }: Pick<Io, 'out'>, json: boolean): Output => ({
  json,
  thing(value, only) {
    if (json) return out(JSON.stringify(value, null, 2));
    const fields = flatten(value).filter(
      ([name]) => only === undefined || only.some((wanted) => name === wanted || name.startsWith(`${wanted}.`)),
    );
    const width = Math.max(0, ...fields.map(([name]) => name.length));
    for (const [name, text] of fields)
      out(`${name.padEnd(width)}  ${text.replaceAll('\n', `\n${' '.repeat(width + 2)}`)}`);
    return undefined;
  },
  table(rows, columns, none) {
    if (json) return out(JSON.stringify(rows, null, 2));
    if (rows.length === 0) return out(none);
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
  say(text) {
    if (!json) out(text);
  },
});

/** Fields by their path: `room.id`. Lists of plain values on one line; lists of things counted, since a table of their own shows them. */
function flatten(value: object, before = ''): [string, string][] {
  return Object.entries(value).flatMap(([name, field]: [string, unknown]): [string, string][] => {
    const path = before + name;
    if (field === null || field === undefined) return [[path, '–']];
    if (Array.isArray(field))
      return [[path, field.every((one) => typeof one !== 'object') ? field.join(', ') : String(field.length)]];
    if (typeof field === 'object') return flatten(field, `${path}.`);
    return [[path, typeof field === 'string' ? field : JSON.stringify(field)]];
  });
}

/** An error as people read it: what is wrong, each wrong field, and the next step. */
export function describeError(error: unknown): string {
  const { message, fix, errors = [], requestId, status } = error as Partial<PartylineError> & Error;
  const fields = errors.map(({ pointer, detail }) => `  ${pointer === '' ? 'the body' : pointer.slice(1)} ${detail}`);
  return [
    `partyline: ${message}`,
    ...fields,
    ...(fix === undefined ? [] : [fix]),
    ...(requestId === undefined || (status ?? 0) < 500 ? [] : [`Request ${requestId}`]),
  ].join('\n');
}

/** The same for programs. */
export const errorAsJson = (error: unknown): string => {
  const { name, message, fix, errors, requestId, status, reason } = error as Partial<PartylineError> & Error;
  return JSON.stringify({
    error: { reason: reason ?? (name === 'UsageError' ? 'usage' : 'failed'), status, message, fix, errors, requestId },
  });
};
