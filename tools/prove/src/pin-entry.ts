/*
 * How callers enter a PIN outside slow mode. Same values as the SQL functions pin_entry_time,
 * max_pin_attempts, max_silent_prompts and goodbye_time; a test compares them.
 */

/** Time from each prompt. */
export const PIN_ENTRY_SECONDS = 80;
export const MAX_PIN_ATTEMPTS = 3;
/** Prompts of one call that may end without a digit. */
export const MAX_SILENT_PROMPTS = 3;
/** The longest goodbye prompt. */
export const GOODBYE_SECONDS = 15;
