/** The rules by which a room expires without a request; `null` switches a rule off. */
export interface ExpiryRules {
  /** The room expires at this time. */
  readonly expires_at: Date | null;
  /** The room expires this many days after the end of its last session; 1 or more. */
  readonly idle_days: number | null;
}

const DAY_MS = 86_400_000;

/**
 * Returns the earliest time at which a room expires; `null` when no rule applies.
 * @param usedAt the end of its last session, or its creation when it never had one
 */
export function computeExpiry({ expires_at, idle_days }: ExpiryRules, usedAt: Date): Date | null {
  const idle = idle_days === null ? null : new Date(usedAt.getTime() + idle_days * DAY_MS);
  if (idle === null || expires_at === null) return idle ?? expires_at;
  return idle < expires_at ? idle : expires_at;
}
