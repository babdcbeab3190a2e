/*
 * How callers are asked for a PIN where nobody is in slow mode, as the database's functions have it (migration `money_and_fraud`); a test holds these to them.
 */

/** Seconds from each prompt. */
export const KEYING_S = 30;
export const MAX_TRIES = 3;
/** Seconds that a good-bye may take. */
export const GOOD_BYE_S = 15;
