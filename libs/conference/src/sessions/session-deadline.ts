import type { SessionView } from '@partyline/store/sessions/session-lock';

/** Returns the latest end of a session, and so of each of its legs. */
export function sessionDeadline({ session, room }: SessionView): Date {
  const longest = new Date(session.created_at.getTime() + room.max_duration_s * 1000);
  return room.ends_at !== null && room.ends_at < longest ? room.ends_at : longest;
}
