/**
 * Money is stored in whole millionths of a currency unit (micro-units) and sent as text in JSON,
 * never as a float.
 */
const DECIMALS = 6;

/**
 * Converts a decimal text such as `0.00015000` to micro-units, rounded to the nearest; `undefined`
 * if it is not an amount.
 */
export function toMicroUnits(text: string): bigint | undefined {
  const [, whole, fraction = ''] = /^(\d{1,9})(?:\.(\d{1,18}))?$/.exec(text) ?? [];
  if (whole === undefined) return undefined;
  const digits = fraction.padEnd(DECIMALS + 1, '0');
  return BigInt(whole + digits.slice(0, DECIMALS)) + (digits.charAt(DECIMALS) >= '5' ? 1n : 0n);
}

/** The provider's charge for one handle of a leg, as far as the provider has reported it. */
export interface Charge {
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
  readonly seconds: number | null;
  /** Micro-units per minute. */
  readonly rateMicro: bigint | null;
  /** Micro-units in total. */
  readonly priceMicro: bigint | null;
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
