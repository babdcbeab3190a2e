/**
 * A released PIN is not allocated again for this time, so that a late caller does not join another
 * tenant's room.
 */
export const PIN_QUARANTINE_SECONDS = 24 * 3600;
