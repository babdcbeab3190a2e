/**
 * Classes of Postgres errors that repeat when the same statement runs again: unsupported feature,
 * cardinality, data, integrity, syntax or access rule, check option, program limit, PL/pgSQL
 * (https://www.postgresql.org/docs/current/errcodes-appendix.html).
 */
const FINAL_CLASSES = new Set(['0A', '21', '22', '23', '42', '44', '54', 'P0']);

/**
 * Those of the final classes that are temporary: a prepared statement that exists already, because a
 * pooler gave the connection another server session; and, while another replica upgrades the schema, a
 * function, table or column that does not exist, and a prepared statement whose result has other
 * columns now (`0A000`), which a new connection prepares again.
 */
const TEMPORARY_CODES = new Set(['42P05', '42883', '42P01', '42703', '0A000']);

/** Whether a value is a SQLSTATE. Codes of the system (EPIPE) and of Prisma (P2002) are none. */
export const isSqlState = (code: unknown): code is string =>
  typeof code === 'string' && /^(?=[0-9A-Z]*\d)(?:[0-9A-DF-OQ-Z][0-9A-Z]|P0)[0-9A-Z]{3}$/.test(code);

/**
 * Whether a statement that failed with this SQLSTATE would fail again. Every other error of the
 * database is temporary: also one that is not known here, because a caller who is told to try
 * again loses less than one who is sent away.
 */
export const isFinalSqlState = (code: string): boolean =>
  FINAL_CLASSES.has(code.slice(0, 2)) && !TEMPORARY_CODES.has(code);
