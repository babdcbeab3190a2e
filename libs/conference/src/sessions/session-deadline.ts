import type { SessionView } from '@partyline/store/sessions/session-lock';

/** When a session is over at the latest, and so every leg of it. */
export function sessionDeadline({ session, room }: SessionView): Date {
  const longest = new Date(session.created_at.getTime() + room.max_duration_s * 1000);
  return room.ends_at !== null && room.ends_at < longest ? room.ends_at : longest;
}
