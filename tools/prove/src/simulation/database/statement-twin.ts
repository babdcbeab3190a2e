import type { Tables } from './tables.ts';

/** What Postgres answers a statement. */
export interface Answer {
  readonly rows: readonly object[];
  readonly rowCount: number;
}
/** What a statement sees of time: the transaction's beginning, and the clock. */
interface When {
  readonly now: Date;
  readonly clock: Date;
}
/** A named statement of libs/store, in JavaScript. `text` is there for those whose column list is made by code. */
export type Twin = (tables: Tables, values: readonly unknown[], when: When, text: string) => Answer;

export const answer = (rows: readonly object[]): Answer => ({ rows, rowCount: rows.length });
export const one = (row: object | undefined): Answer =>
  row === undefined ? { rows: [], rowCount: 0 } : { rows: [row], rowCount: 1 };
export const done = (rowCount: number): Answer => ({ rows: [], rowCount });
export const plus = (at: Date, seconds: number): Date => new Date(at.getTime() + Math.round(seconds * 1000));
