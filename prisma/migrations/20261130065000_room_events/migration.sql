-- Events about a room itself, which has no session before the first join: a stream of its own, numbered
-- like those of sessions and endpoints.
ALTER TABLE "room" ADD COLUMN "last_seq" INTEGER NOT NULL DEFAULT 0;

-- One event per number; find-event searches by it.
CREATE UNIQUE INDEX "outbox_of_room" ON "outbox" ("room_id", "seq")
  WHERE "session_id" IS NULL AND "endpoint_id" IS NULL;
