/**
 * JSON from the provider, or from a sender that pretends to be the provider. No function in this
 * file throws.
 */
export type Json = Readonly<Record<string, unknown>>;

const EMPTY: Json = {};

/** Returns the value if it is an object, else an empty object. */
export const asObject = (value: unknown): Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : EMPTY;

/** Returns a non-empty string without NUL characters, which Postgres cannot store. */
export const asText = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' && !value.includes('\u0000') ? value : undefined;

/**
 * Returns a name for a metric or a log: at most 40 letters, dots and dashes, so that it cannot
 * contain a number or a body.
 */
export const asName = (value: unknown): string => {
  const text = asText(value);
  return text === undefined ? 'unnamed' : text.slice(0, 40).replaceAll(/[^A-Za-z.-]/g, '_');
};

const MIN_PLAUSIBLE_MS = Date.UTC(2000);
const MAX_PLAUSIBLE_MS = Date.UTC(2100);
const plausibleDate = (ms: number): Date | null =>
  ms >= MIN_PLAUSIBLE_MS && ms < MAX_PLAUSIBLE_MS ? new Date(ms) : null;

/**
 * Parses milliseconds since 1970 (video), ISO 8601 (voice webhooks) or `YYYY-MM-DD HH:MM:SS` in UTC
 * (voice REST). Returns null outside the years 2000 to 2099, for example for a zero or for seconds
 * in place of milliseconds.
 */
export function asDate(value: unknown): Date | null {
  if (typeof value === 'number') return plausibleDate(value);
  if (typeof value !== 'string' || value.length > 40) return null;
  return plausibleDate(
    Date.parse(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/.test(value) ? `${value.replace(' ', 'T')}Z` : value),
  );
}

/**
 * Longer than any call: Vonage ends calls after two hours, and SIP calls after six (contract
 * sections 5 and 6).
 */
const DAY_S = 86_400;

/** Parses seconds from a number or a text, rounded; `undefined` above one day. */
export function asSeconds(value: unknown): number | undefined {
  const seconds =
    typeof value === 'number'
      ? value
      : typeof value === 'string' && /^\d{1,9}(\.\d{1,9})?$/.test(value)
        ? Number(value)
        : Number.NaN;
  return seconds >= 0 && seconds <= DAY_S ? Math.round(seconds) : undefined;
}

/**
 * Returns an amount of money as decimal text, from a text or a JSON number; `undefined` for other
 * values. A number is written without an exponent, with at most twelve decimals.
 */
export function asAmount(value: unknown): string | undefined {
  if (typeof value !== 'number') return asText(value);
  if (!Number.isFinite(value) || value < 0) return undefined;
  const text = String(value);
  return text.includes('e') ? value.toFixed(12) : text;
}

/** Parses the number of items of a list, from a number or a text; `undefined` if it is neither. */
export function asCount(value: unknown): number | undefined {
  const count = typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : value;
  return typeof count === 'number' && Number.isSafeInteger(count) && count >= 0 ? count : undefined;
}
