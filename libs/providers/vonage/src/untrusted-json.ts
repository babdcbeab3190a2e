/** Hand checks for what the vendor (or whoever says so) sends. None throws: on the path of every webhook, and hostile input is ordinary. */
export type Json = Readonly<Record<string, unknown>>;

const EMPTY: Json = {};

/** The value if it is an object with fields, else an empty one. */
export const asObject = (value: unknown): Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : EMPTY;

/** A text that is none when it holds a NUL, which no vendor sends and Postgres does not store. */
export const asText = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' && !value.includes('\u0000') ? value : undefined;

/** A name for a metric or a log: short, and of letters, digits, dots and dashes only, so that it can hold no number and no body. */
export const asName = (value: unknown): string => {
  const text = asText(value);
  return text === undefined ? 'unnamed' : text.slice(0, 40).replaceAll(/[^A-Za-z.-]/g, '_');
};

const EARLIEST = Date.UTC(2000);
const LATEST = Date.UTC(2100);
const plausibleDate = (ms: number): Date | null => (ms >= EARLIEST && ms < LATEST ? new Date(ms) : null);

/** Milliseconds since 1970 (video), ISO (voice webhooks) or `YYYY-MM-DD HH:MM:SS` in UTC (voice REST). None outside 2000 to 2099: seconds for milliseconds, say, or a zero. */
export function asDate(value: unknown): Date | null {
  if (typeof value === 'number') return plausibleDate(value);
  if (typeof value !== 'string' || value.length > 40) return null;
  return plausibleDate(Date.parse(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/.test(value) ? `${value.replace(' ', 'T')}Z` : value));
}

/** Longer than any call: each ends with its session, and the vendor ends its own after two hours, or six to SIP (contract section 5, section 6). */
const DAY_S = 86_400;

/** Whole seconds, which the vendor sends as text; at most a day. */
export function asSeconds(value: unknown): number | undefined {
  const seconds =
    typeof value === 'number'
      ? value
      : typeof value === 'string' && /^\d{1,9}$/.test(value)
        ? Number(value)
        : Number.NaN;
  return seconds >= 0 && seconds <= DAY_S ? Math.round(seconds) : undefined;
}
