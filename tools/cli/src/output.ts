import { styleText } from 'node:util';
import type { PartylineEvent } from '@partyline/sdk/event';
import Table from 'cli-table3';
import type { Io } from './io.ts';
import { formatEvent, formatValue, labelsOf, type Row, type ValueStyle } from './values.ts';

/** Prints results as text, or as JSON with `--json`. */
export interface Output {
  readonly json: boolean;
  /**
   * Prints one object, a field a line. `fields` selects the fields of the text; JSON always has
   * all.
   */
  object(value: object, fields?: readonly string[]): void;
  /** Prints objects as a table of `columns`, or `emptyText`. JSON is an array of whole objects. */
  table(rows: readonly object[], columns: readonly string[], emptyText: string): void;
  /** Prints records of what happened: a table with exact times. */
  ledger(rows: readonly object[], columns: readonly string[], emptyText: string): void;
  /** Prints events, one a line. JSON is an array of whole events. */
  events(events: readonly PartylineEvent[]): void;
  /** Prints one event of a stream on one line. */
  event(event: PartylineEvent): void;
  /** Prints one object of a stream on one line, as `text` or as JSON. */
  line(value: object, text: string): void;
  /** Says that the API cut a list. */
  noteCut(isComplete: boolean): void;
  /** Prints text that JSON output omits. */
  message(text: string): void;
}

const COLUMN_GAP = '  ';

export function openOutput({ out, hasColour, now }: Pick<Io, 'out' | 'hasColour' | 'now'>, json: boolean): Output {
  const dim = (text: string): string => (hasColour ? styleText('dim', text, { validateStream: false }) : text);
  const print = (rows: readonly (readonly string[])[]): void => {
    const table = new Table({
      chars: Object.fromEntries(
        ['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left', 'bottom-right', 'left']
          .concat(['left-mid', 'mid', 'mid-mid', 'right', 'right-mid', 'middle'])
          .map((name) => [name, name === 'middle' ? COLUMN_GAP : '']),
      ),
      style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [], compact: true },
    });
    for (const row of rows) table.push([...row]);
    for (const line of table.toString().split('\n')) out(line.trimEnd());
  };
  const line = (value: object, text: string): void => out(json ? JSON.stringify(value) : text);
  const printTable = (times: ValueStyle['times'], ...[rows, columns, emptyText]: Parameters<Output['table']>): void => {
    if (json) return out(JSON.stringify(rows, null, 2));
    if (rows.length === 0) return out(emptyText);
    return print([
      labelsOf(columns, true).map(dim),
      ...rows.map((object) => {
        const byPath = new Map(flatten(object).map((row) => [row.path, row]));
        return columns.map((path) => {
          const row = byPath.get(path);
          return row === undefined ? '' : formatValue(row, { hasColour, now: now(), times });
        });
      }),
    ]);
  };
  return {
    json,
    object(value, fields) {
      if (json) return out(JSON.stringify(value, null, 2));
      const rows = flatten(value).filter(
        ({ path }) => fields === undefined || fields.some((field) => path === field || path.startsWith(`${field}.`)),
      );
      const labels = labelsOf(rows.map(({ path }) => path));
      if (rows.length > 0)
        print(rows.map((row, at) => [dim(labels[at]!), formatValue(row, { hasColour, now: now(), times: 'both' })]));
      return undefined;
    },
    table: (...given) => printTable('relative', ...given),
    ledger: (...given) => printTable('exact', ...given),
    events(events) {
      if (json) return out(JSON.stringify(events, null, 2));
      if (events.length === 0) return out('No events.');
      for (const event of events) out(formatEvent(event, hasColour));
      return undefined;
    },
    event: (event) => line(event, formatEvent(event, hasColour)),
    line,
    noteCut(isComplete) {
      if (!json && !isComplete) out('The list is longer, and was cut here.');
    },
    message(text) {
      if (!json) out(text);
    },
  };
}

/** Lists the fields of an object with their path (`room.id`) and the object that they stand in. */
function flatten(value: object, prefix = '', inherited: object = {}): Row[] {
  const owner = { ...inherited, ...value };
  return Object.entries(value).flatMap(([name, field]: [string, unknown]): Row[] => {
    const path = prefix + name;
    return typeof field === 'object' && field !== null && !Array.isArray(field)
      ? flatten(field, `${path}.`, owner)
      : [{ path, value: field, owner }];
  });
}
