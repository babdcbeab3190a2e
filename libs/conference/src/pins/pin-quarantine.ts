/** How long a PIN stays taken after its room ended, so that a late caller does not land in a stranger's room (design §5). */
export const PIN_QUARANTINE_SECONDS = 24 * 3600;
