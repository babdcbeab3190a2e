import type { RandomInt } from './clock.ts';

export const PIN_MIN_LENGTH = 6;
const PIN_DEFAULT_LENGTH = 9;
export const PIN_MAX_LENGTH = 12;
/**
 * PINs of different lengths on a number differ in this many first digits, so that none is the
 * beginning of another. The shortest PIN is its own head.
 */
export const PIN_HEAD_LENGTH = PIN_MIN_LENGTH;

/**
 * Wrong PINs per day that every number must tolerate before the chance of a hit adds up to one in a
 * thousand. With a smaller budget, ordinary mistakes would trigger slow mode (docs/fraud.md).
 */
export const MIN_WRONG_PINS_PER_DAY = 5_000;

/**
 * Live PINs on a number from which a new PIN has the maximum length. `count_pins` stops counting
 * here.
 */
export const MAX_COUNTED_PINS = 7_000;

/** Returns the number of PINs of a length in which no two adjacent digits are equal. */
export const countPossiblePins = (length: number): number => 10 * 9 ** (length - 1);

/**
 * Returns the number of digits of a new PIN. On a shared number the chance of hitting some room
 * grows with the number of PINs; the length keeps `MIN_WRONG_PINS_PER_DAY` guesses below one in a
 * thousand for up to 62,762 PINs.
 * @param others live PINs that the number already has, 0 or more; values above `MAX_COUNTED_PINS`
 *   give the same length
 */
export function choosePinLength(others: number): number {
  let length = PIN_DEFAULT_LENGTH;
  while (length < PIN_MAX_LENGTH && countPossiblePins(length) < 1_000 * MIN_WRONG_PINS_PER_DAY * (others + 1))
    length += 1;
  return length;
}

/**
 * Draws a PIN uniformly from those of a length that have no equal adjacent digits and are not a
 * common pattern. Equal adjacent digits are excluded because a bouncing keypad, or a gateway that
 * drops a repeated digit, would change the PIN.
 * @throws RangeError for a length outside `PIN_MIN_LENGTH` to `PIN_MAX_LENGTH`
 */
export function drawPin(length: number, random: RandomInt): string {
  if (!Number.isInteger(length) || length < PIN_MIN_LENGTH || length > PIN_MAX_LENGTH)
    throw new RangeError(`A PIN must have ${PIN_MIN_LENGTH} to ${PIN_MAX_LENGTH} digits.`);
  for (;;) {
    let pin = String(random(10));
    while (pin.length < length) {
      // Nine choices that exclude the previous digit: uniform without a retry.
      const digit = random(9);
      const last = Number(pin.at(-1));
      pin += digit >= last ? digit + 1 : digit;
    }
    if (!isCommonPattern(pin)) return pin;
  }
}

/**
 * Whether a PIN is a run (`123456789`, `987654321`) or a repeated block (`121212`, `123123`): the
 * first ones to be guessed.
 */
export function isCommonPattern(pin: string): boolean {
  const digits = [...pin].map(Number);
  const steps = digits.slice(1).map((digit, i) => (digit - (digits[i] ?? 0) + 10) % 10);
  if (steps.every((s) => s === steps[0])) return true;
  for (let block = 1; block <= pin.length / 2; block++) {
    if (pin.length % block === 0 && pin === pin.slice(0, block).repeat(pin.length / block)) return true;
  }
  return false;
}

/** Whether a text has the form of a PIN: digits only, with a valid length. */
export const isPinShaped = (keyed: string): boolean =>
  new RegExp(`^\\d{${PIN_MIN_LENGTH},${PIN_MAX_LENGTH}}$`).test(keyed);

/** Formats a PIN for display and speech in groups of three: `123 456 789`. */
export const formatPin = (pin: string): string => pin.replace(/\d{3}(?=\d)/g, '$& ');
