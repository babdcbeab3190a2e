/** Money is kept in whole millionths of a currency's unit (micro-units), and in JSON as text: neither is ever a floating-point number. */
const DECIMALS = 6;

/** What a provider writes as `0.00015000`, in micro-units, to the nearest; `undefined` for what is no amount. */
export function toMicro(text: string): bigint | undefined {
  const [, whole, fraction = ''] = /^(\d{1,9})(?:\.(\d{1,18}))?$/.exec(text) ?? [];
  if (whole === undefined) return undefined;
  const digits = fraction.padEnd(DECIMALS + 1, '0');
  return BigInt(whole + digits.slice(0, DECIMALS)) + (digits.charAt(DECIMALS) >= '5' ? 1n : 0n);
}

/** What a provider says of its charge for one side of a leg, or as much of it as it has said. */
export interface Charge {
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
  readonly seconds: number | null;
  /** Micro-units a minute, and in all. */
  readonly rateMicro: bigint | null;
  readonly priceMicro: bigint | null;
  /** ISO 4217. */
  readonly currency: string | null;
}

/** Of what a limit is: `tenant-spend` and `room-spend` in micro-units, `tenant-minutes` in seconds. A tenant's are for a calendar month, a room's for ever. */
const SPEND_SCOPES = ['tenant-spend', 'tenant-minutes', 'room-spend'] as const;
export type SpendScope = (typeof SPEND_SCOPES)[number];

/** How much of a limit is used, what is running included. */
export interface SpendUse {
  readonly scope: SpendScope;
  readonly used: bigint;
  readonly allowed: bigint;
  /** What one more leg needs to begin with: its first minute. */
  readonly oneMore: bigint;
  readonly currency: string;
}

/** `near`: from four fifths on; `spent`: nothing is left. */
export const spendState = ({ used, allowed }: Pick<SpendUse, 'used' | 'allowed'>): 'under' | 'near' | 'spent' =>
  used >= allowed ? 'spent' : used * 5n >= allowed * 4n ? 'near' : 'under';

/** Is there enough for the first minute of `more` legs beyond those that are counted already? */
export const fits = ({ used, allowed, oneMore }: SpendUse, more: 0 | 1): boolean =>
  used + oneMore * BigInt(more) <= allowed;
