import type { Tables } from './tables.ts';

/** The result of a statement, as the driver returns it. */
export interface StatementResult {
  readonly rows: readonly object[];
  readonly rowCount: number;
}
interface StatementTime {
  /** The start of the transaction: `now()`. */
  readonly now: Date;
  /** The current time: `clock_timestamp()`. */
  readonly clock: Date;
}
/**
 * A named statement of libs/store in TypeScript. `text` serves statements whose column list is
 * generated.
 */
export type StatementTwin = (
  tables: Tables,
  values: readonly unknown[],
  time: StatementTime,
  text: string,
) => StatementResult;

export const returnRows = (rows: readonly object[]): StatementResult => ({ rows, rowCount: rows.length });
/** One row, or none. */
export const returnRow = (row: object | undefined): StatementResult =>
  row === undefined ? { rows: [], rowCount: 0 } : { rows: [row], rowCount: 1 };
/** The number of affected rows. */
export const returnCount = (rowCount: number): StatementResult => ({ rows: [], rowCount });
export const addSeconds = (at: Date, seconds: number): Date => new Date(at.getTime() + Math.round(seconds * 1000));
