import { styleText } from 'node:util';
import type { PartylineEvent } from '@partyline/sdk/event';

/** One field of an object. */
export interface Row {
  readonly path: string;
  readonly value: unknown;
  /** The object of the field, and what contains it. It names the currency of an amount. */
  readonly owner: object;
}

/** Labels that do not follow from the name of the field. */
const LABELS: Readonly<Record<string, string>> = {
  id: 'ID',
  at: 'Time',
  url: 'URL',
  apiKey: 'API key',
  sipDomain: 'SIP domain',
  maxPerCallerId: 'Max per caller ID',
  pin: 'PIN',
  pinSpaced: 'PIN',
  hostPin: 'Host PIN',
  hostPinSpaced: 'Host PIN',
  tapToCall: 'One-tap link',
  externalId: 'External ID',
  seconds: 'Duration',
  tollFree: 'Toll-free',
  allowed: 'Limit',
  'actor.kind': 'By',
  'actor.id': 'Key',
  'apiKey.id': 'Key ID',
  'old.id': 'Old key ID',
  'old.expiresAt': 'Old key expires',
  'confirmedBy.source': 'Confirmed by',
};

/** Objects whose fields say too little without the name of the object. */
const NAMED_GROUPS = ['fraudLimits', 'hangUp', 'video', 'voice'];

/**
 * The label of a field, in sentence case: `lastUsedAt` is `Last used`, `room.id` is `Room ID`.
 * @param isColumn whether it heads a column, where the name of a group says nothing
 */
export function labelOf(path: string, isColumn = false): string {
  const words = path.split('.');
  const last = words.length - 1;
  if (isMetadata(path)) return `Metadata ${words[last]}`;
  const known = LABELS[path];
  if (known !== undefined) return known;
  const group = words.findIndex((word, at) => at < last && NAMED_GROUPS.includes(word));
  const fallback = words[last] === 'id' ? Math.max(0, last - 1) : last;
  return joinLabels(words.slice(isColumn ? last : group === -1 ? fallback : group));
}

/** The labels of the fields of one output: a label that would repeat names its objects. */
export function labelsOf(paths: readonly string[], isColumn = false): string[] {
  const labels = paths.map((path) => labelOf(path, isColumn));
  return labels.map((label, at) =>
    labels.indexOf(label) === labels.lastIndexOf(label) ? label : fullLabelOf(paths[at]!),
  );
}

function fullLabelOf(path: string): string {
  const words = path.split('.');
  // The keys of metadata are the tenant's own.
  return isMetadata(path) ? `${joinLabels(words.slice(0, -1))} ${words.at(-1)}` : joinLabels(words);
}

/** Words the names of objects and of a field in them as one label. */
const joinLabels = (names: readonly string[]): string =>
  names.map((name, at) => LABELS[name] ?? (at === 0 ? wordName(name) : wordName(name).toLowerCase())).join(' ');

/** Words one name of the API: `lastUsedAt` is `Last used`. */
function wordName(name: string): string {
  const text = name
    .replace(/micro(?=[A-Z]|$)/i, '')
    .replace(/(.)(At|Id|Seconds)$/, '$1')
    .replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
    .trim();
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}

export interface ValueStyle {
  readonly hasColour: boolean;
  /** Milliseconds since 1970. */
  readonly now: number;
  /**
   * `relative` for lists of what exists, `exact` (UTC) for records of what happened, `both` where
   * there is room.
   */
  readonly times: 'relative' | 'exact' | 'both';
}

/** The keys and texts of metadata are the tenant's own. */
const isMetadata = (path: string): boolean => /(^|\.)metadata\.[^.]+$/.test(path);

/** Formats a field for people: times, amounts in their currency, durations, yes and no. */
export function formatValue({ path, value, owner }: Row, { hasColour, now, times }: ValueStyle): string {
  const name = path.split('.').at(-1) ?? '';
  if (value === null || value === undefined || value === '') return '-';
  if (typeof value === 'string' && isMetadata(path)) return value;
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (Array.isArray(value)) {
    if (value.length === 0) return name === 'types' ? 'all' : '-';
    return value.every((item) => typeof item !== 'object') ? value.join(', ') : String(value.length);
  }
  if (isMinutes(name, owner)) return formatMinutes(Number(value));
  if (isAmount(name, owner) && (typeof value === 'number' || (typeof value === 'string' && /^-?\d+$/.test(value))))
    return formatAmount(String(value), currencyOf(owner));
  if (/^(price|rate)$/.test(name) && typeof value === 'string') return formatDecimal(value, currencyOf(owner));
  if (typeof value === 'number') return /seconds$/i.test(name) ? formatDuration(value) : String(value);
  if (typeof value !== 'string') return JSON.stringify(value);
  if (/^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(value)) {
    const ago = formatRelativeTime(Date.parse(value), now);
    if (times === 'relative') return ago;
    return times === 'both' ? `${formatTime(value)} (${ago})` : formatTime(value);
  }
  return /^(state|outcome)$/i.test(name) ? paint(value, hasColour) : value;
}

const COLOURS = {
  green: ['active', 'live', 'delivered', 'joined', 'answered', 'accepted', 'success', 'under', 'ok'],
  yellow: ['open', 'pending', 'invited', 'requested', 'dialling', 'ringing', 'ending', 'near', 'warn'],
  red: ['failed', 'suspended', 'revoked', 'spent', 'rejected', 'client', 'server', 'upstream', 'indeterminate', 'fail'],
  dim: ['ended', 'expired', 'already-closed', 'no-provider-id', 'unknown'],
} as const;

/** Colours a state or an outcome by what it means. */
export function paint(state: string, hasColour: boolean): string {
  const [colour] = Object.entries(COLOURS).find(([, states]) => (states as readonly string[]).includes(state)) ?? [];
  return colour === undefined || !hasColour
    ? state
    : styleText(colour as keyof typeof COLOURS, state, { validateStream: false });
}

const currencyOf = (owner: object): string | undefined => (owner as { currency?: string | null }).currency ?? undefined;

const scopeOf = (owner: object): string => (owner as { scope?: string }).scope ?? '';

/** `used` and `allowed` of a limit have no unit in the name: the scope of the limit has it. */
const isMeter = (name: string): boolean => /^(used|allowed)$/.test(name);
const isMinutes = (name: string, owner: object): boolean => isMeter(name) && scopeOf(owner).endsWith('-minutes');
const isAmount = (name: string, owner: object): boolean =>
  /micro/i.test(name) || (isMeter(name) && scopeOf(owner).endsWith('-spend'));

/** Formats seconds as minutes. Rounds down: a limit that is not reached must not look reached. */
const formatMinutes = (seconds: number): string =>
  `${new Intl.NumberFormat('en', { maximumFractionDigits: 1, roundingMode: 'floor' }).format(seconds / 60)} min`;

/** Formats millionths of a currency unit, without losing a digit: `€1.35`, `€0.0085`. */
export function formatAmount(micro: string, currency: string | undefined): string {
  const digits = micro.replace('-', '').padStart(7, '0');
  return formatDecimal(`${micro.startsWith('-') ? '-' : ''}${digits.slice(0, -6)}.${digits.slice(-6)}`, currency);
}

/** Formats a decimal amount with all its digits. */
function formatDecimal(decimal: string, currency: string | undefined): string {
  const options = { minimumFractionDigits: 2, maximumFractionDigits: 12 };
  try {
    return new Intl.NumberFormat('en', {
      ...options,
      ...(currency !== undefined && { style: 'currency', currency }),
    }).format(decimal as Intl.StringNumericLiteral);
  } catch {
    return `${decimal} ${currency ?? ''}`.trim();
  }
}

const UNITS = [
  ['year', 31_536_000],
  ['month', 2_592_000],
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
  ['second', 1],
] as const;
const RELATIVE = new Intl.RelativeTimeFormat('en', { numeric: 'always', style: 'short' });

/** Formats a time relative to now: `3 min. ago`, `in 2 hr.` */
export function formatRelativeTime(at: number, now: number): string {
  const seconds = Math.round((at - now) / 1000);
  if (Math.abs(seconds) < 2) return 'now';
  const [unit, length] = UNITS.find(([, each]) => Math.abs(seconds) >= each) ?? UNITS.at(-1)!;
  return RELATIVE.format(Math.trunc(seconds / length), unit).replaceAll('.', '');
}

/** Formats a time of the API in UTC: `2026-05-04 09:30:00 UTC`. */
const formatTime = (time: string): string => `${time.replace('T', ' ').replace(/(\.\d+)?Z$/, '')} UTC`;

/** Formats seconds with at most two units: `1 h 5 min`. */
export function formatDuration(seconds: number): string {
  const parts = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3_600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ] as const;
  const shown = parts.filter(([count]) => count > 0).slice(0, 2);
  return shown.length === 0 ? '0 s' : shown.map(([count, unit]) => `${count} ${unit}`).join(' ');
}

const EVENT_TYPE_WIDTH = 'participant.removed'.length;

/** Formats an event for people: time, type, what it is about, and its details. */
export function formatEvent(event: PartylineEvent, hasColour: boolean): string {
  const style = (format: 'dim' | 'cyan', text: string): string =>
    hasColour ? styleText(format, text, { validateStream: false }) : text;
  // Ids of participants and legs stay out: `--json` has them, and people know names.
  const details = Object.entries(event.data as Record<string, unknown>)
    .filter(([name, value]) => !name.endsWith('Id') && value !== null && typeof value !== 'object')
    .map(([path, value]) => {
      const text = formatValue({ path, value, owner: event.data }, { hasColour, now: 0, times: 'exact' });
      return `${labelOf(path).toLowerCase()} ${text}`;
    });
  return [
    style('dim', formatTime(event.at)),
    style('cyan', event.type.padEnd(EVENT_TYPE_WIDTH)),
    event.sessionId ?? event.roomId ?? '',
    details.join(', '),
  ]
    .filter((part) => part !== '')
    .join('  ');
}
