/**
 * Money is stored in millionths of a currency unit (micro-units) and sent as text in JSON, never
 * as a float. The provider's prices have more decimals than that and are kept exactly; budgets,
 * rates and estimates are whole micro-units.
 */
const DECIMALS = 6;

/**
 * Moves the decimal point of a decimal text to the right, or to the left for a negative `places`.
 */
function movePoint(text: string, places: number): string {
  const [whole = '', fraction = ''] = text.split('.');
  const digits = places < 0 ? whole.padStart(1 - places, '0') + fraction : whole + fraction.padEnd(places, '0');
  const point = (places < 0 ? Math.max(whole.length, 1 - places) : whole.length) + places;
  const moved = `${digits.slice(0, point).replace(/^0+(?=\d)/, '')}.${digits.slice(point)}`;
  return moved.replace(/\.?0*$/, '') || '0';
}

/**
 * Converts a decimal text such as `0.00015025` to micro-units, exactly (`150.25`); `undefined` if
 * it is not an amount.
 */
export const toMicroUnits = (text: string): string | undefined =>
  /^\d{1,9}(\.\d{1,18})?$/.test(text) ? movePoint(text, DECIMALS) : undefined;

/** Converts micro-units to a decimal text in the currency's unit, exactly. */
export const toCurrencyUnits = (micro: string): string => movePoint(micro, -DECIMALS);

/** Rounds micro-units to whole ones, half up. */
export function roundMicroUnits(micro: string): string {
  const [whole = '0', fraction = ''] = micro.split('.');
  return String(BigInt(whole) + (fraction.charAt(0) >= '5' ? 1n : 0n));
}

/** The provider's charge for one handle of a leg, as far as the provider has reported it. */
export interface Charge {
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
  readonly seconds: number | null;
  /** Exact micro-units per minute, as decimal text. */
  readonly rateMicro: string | null;
  /** Exact micro-units in total, as decimal text. */
  readonly priceMicro: string | null;
  /** ISO 4217. */
  readonly currency: string | null;
}

/**
 * What a limit applies to. `tenant-spend` and `room-spend` are in micro-units, `tenant-minutes` is
 * in seconds. A tenant's limits cover a calendar month, a room's its whole life.
 */
const SPEND_SCOPES = ['tenant-spend', 'tenant-minutes', 'room-spend'] as const;
export type SpendScope = (typeof SPEND_SCOPES)[number];

/** The used part of a limit, running legs included. */
export interface SpendUsage {
  readonly scope: SpendScope;
  readonly used: bigint;
  readonly allowed: bigint;
  /** The first minute of one more leg, in the unit of the limit. */
  readonly firstMinute: bigint;
  readonly currency: string;
}

/** `near`: four fifths or more are used; `spent`: nothing is left. */
export const spendState = ({ used, allowed }: Pick<SpendUsage, 'used' | 'allowed'>): 'under' | 'near' | 'spent' =>
  used >= allowed ? 'spent' : used * 5n >= allowed * 4n ? 'near' : 'under';

/**
 * Whether the limit covers the first minute of `more` legs in addition to those counted already.
 */
export const fitsBudget = ({ used, allowed, firstMinute }: SpendUsage, more: 0 | 1): boolean =>
  used + firstMinute * BigInt(more) <= allowed;
