-- Events and deliveries are deleted after a while: by these it is found which.

-- CreateIndex
CREATE INDEX "outbox_created_at_idx" ON "outbox"("created_at");

-- By hand from here on.

-- Those that are not done are not in it.
CREATE INDEX "delivery_done" ON "delivery" ("done_at") WHERE "done_at" IS NOT NULL;
