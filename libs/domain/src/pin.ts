import type { RandomInt } from './clock.ts';

export const PIN_MIN_LENGTH = 6;
const PIN_DEFAULT_LENGTH = 9;
export const PIN_MAX_LENGTH = 12;

/** Wrong PINs that a number can take in a day, at the least, before their odds add up to a thousandth: with fewer, its slow mode would keep people waiting (docs/fraud.md). */
export const LEAST_BUDGET = 5_000;

/** With so many live PINs on a number the next has the most digits, so that nobody counts further (`count_pins`). */
export const PINS_COUNTED = 7_000;

/** How many PINs of this length there can be: no two neighbours are equal. */
export const pinSpace = (length: number): number => 10 * 9 ** (length - 1);

/**
 * How many digits a new PIN needs so that guessing stays hopeless. On a shared number the odds of hitting *some* room grow with the PINs on it; so that
 * `LEAST_BUDGET` guesses stay below one in a thousand, up to 62,762 PINs.
 * @param others live PINs that the number has already, 0 or more; however many more than `PINS_COUNTED` makes no difference
 */
export function pinLength(others: number): number {
  let length = PIN_DEFAULT_LENGTH;
  while (length < PIN_MAX_LENGTH && pinSpace(length) < 1_000 * LEAST_BUDGET * (others + 1)) length += 1;
  return length;
}

/**
 * Draws a PIN: uniform among those of this length that have no two equal neighbours and are no common pattern.
 * Equal neighbours are refused because a keypad that bounces, or a gateway that drops a repeated digit, would make another PIN of it.
 */
export function drawPin(length: number, random: RandomInt): string {
  if (!Number.isInteger(length) || length < PIN_MIN_LENGTH || length > PIN_MAX_LENGTH)
    throw new RangeError(`a PIN has ${PIN_MIN_LENGTH} to ${PIN_MAX_LENGTH} digits`);
  for (;;) {
    let pin = String(random(10));
    while (pin.length < length) {
      // Nine choices, none equal to the digit before: uniform without a retry.
      const digit = random(9);
      const last = Number(pin.at(-1));
      pin += digit >= last ? digit + 1 : digit;
    }
    if (!isCommonPattern(pin)) return pin;
  }
}

/** A run (`123456789`, `987654321`) or a short block said again and again (`121212`, `123123`): what people try first. */
export function isCommonPattern(pin: string): boolean {
  const digits = [...pin].map(Number);
  const steps = digits.slice(1).map((digit, i) => (digit - (digits[i] ?? 0) + 10) % 10);
  if (steps.every((s) => s === steps[0])) return true;
  for (let block = 1; block <= pin.length / 2; block++) {
    if (pin.length % block === 0 && pin === pin.slice(0, block).repeat(pin.length / block)) return true;
  }
  return false;
}

/** Could this be a PIN at all? Digits only, of a length that is in use. */
export const isPinShaped = (keyed: string): boolean =>
  new RegExp(`^\\d{${PIN_MIN_LENGTH},${PIN_MAX_LENGTH}}$`).test(keyed);

/** How a PIN is read out and printed: groups of three, `123 456 789`. */
export const spacedPin = (pin: string): string => pin.replace(/\d{3}(?=\d)/g, '$& ');
