import type { Tables } from './tables.ts';

/** What Postgres answers a statement. */
export interface StatementResult {
  readonly rows: readonly object[];
  readonly rowCount: number;
}
/** What a statement sees of time: the transaction's beginning, and the clock. */
interface StatementTime {
  readonly now: Date;
  readonly clock: Date;
}
/** A named statement of libs/store, in JavaScript. `text` is there for those whose column list is made by code. */
export type StatementTwin = (tables: Tables, values: readonly unknown[], when: StatementTime, text: string) => StatementResult;

export const returnRows = (rows: readonly object[]): StatementResult => ({ rows, rowCount: rows.length });
export const returnRow = (row: object | undefined): StatementResult =>
  row === undefined ? { rows: [], rowCount: 0 } : { rows: [row], rowCount: 1 };
export const returnCount = (rowCount: number): StatementResult => ({ rows: [], rowCount });
export const addSeconds = (at: Date, seconds: number): Date => new Date(at.getTime() + Math.round(seconds * 1000));
