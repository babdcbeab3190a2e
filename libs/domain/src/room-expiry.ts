/** By what a room ends for good without being told to; null: not by that. */
export interface Expiry {
  /** At this moment. */
  readonly expires_at: Date | null;
  /** When its last session has been over for so many days; 1 or more. */
  readonly idle_days: number | null;
}

const DAY_MS = 86_400_000;

/**
 * The first moment at which a room may have expired; `null` when it never does by itself.
 * @param usedAt when its last session was over, or it was made, when it never had one
 */
export function expiry({ expires_at, idle_days }: Expiry, usedAt: Date): Date | null {
  const idle = idle_days === null ? null : new Date(usedAt.getTime() + idle_days * DAY_MS);
  if (idle === null || expires_at === null) return idle ?? expires_at;
  return idle < expires_at ? idle : expires_at;
}
