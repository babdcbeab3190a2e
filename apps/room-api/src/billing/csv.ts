import { stringify } from 'csv-stringify/sync';

/** Spreadsheets run a cell that starts with one of these as a formula. */
const FORMULA_START = /^[=+\-@\t\r]/;
/** A phone number or an amount: a spreadsheet reads it as a number. */
const PLAIN_NUMBER = /^[+-]?\d+$/;

const escapeCell = (text: string): string => (FORMULA_START.test(text) && !PLAIN_NUMBER.test(text) ? `'${text}` : text);

/**
 * Rows as CSV (RFC 4180), in which no cell is a formula: such a text gets an apostrophe before it.
 * @param header whether the first line names the columns
 */
export const toCsv = (rows: readonly object[], columns: readonly string[], header = true): string =>
  stringify([...rows], { header, columns: [...columns], cast: { string: escapeCell } });
