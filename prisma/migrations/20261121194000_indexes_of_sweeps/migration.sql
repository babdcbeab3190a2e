-- Sessions and legs are kept for good: what is asked again and again finds its few among the many that are over.

-- CreateIndex
CREATE INDEX "leg_participant_id_idx" ON "leg"("participant_id");

-- By hand from here on.

-- What an account's inventory reads every minute (libs/store/src/reconciliation/inventory.ts).
CREATE INDEX "leg_called" ON "leg" ("account_id", "created_at") WHERE "state" <> 'ended' AND "voice_call_id" IS NOT NULL;
CREATE INDEX "session_video" ON "session" ("account_id") WHERE "state" <> 'ended' AND "media_session_id" IS NOT NULL;
CREATE INDEX "session_video_ended" ON "session" ("account_id", "ended_at") WHERE "state" = 'ended' AND "media_session_id" IS NOT NULL;
CREATE INDEX "session_video_lately" ON "session" ("account_id", "created_at") WHERE "state" = 'ended' AND "media_session_id" IS NOT NULL;
