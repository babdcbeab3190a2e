-- By hand.

-- What every change of a session reads (libs/store/src/sessions/session-lock.ts): a room that is never empty has had thousands of legs in one session.
CREATE INDEX "leg_up_of_session" ON "leg" ("session_id") WHERE "state" <> 'ended';
