-- The odds of the wrong PINs of a number, by day.
CREATE TABLE "pin_guess_day" (
    "number" TEXT NOT NULL,
    "day" DATE NOT NULL,
    "odds" DOUBLE PRECISION NOT NULL,

    CONSTRAINT "pin_guess_day_pkey" PRIMARY KEY ("number","day")
);
CREATE INDEX "pin_guess_day_day_idx" ON "pin_guess_day"("day");
ALTER TABLE "pin_guess_day" ADD CONSTRAINT "pin_guess_day_number_fkey" FOREIGN KEY ("number") REFERENCES "dial_in_number"("e164") ON DELETE CASCADE ON UPDATE CASCADE;
SELECT share_with_platform('pin_guess_day');
