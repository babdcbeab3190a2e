ALTER TABLE leg ADD COLUMN silences integer NOT NULL DEFAULT 0;

-- It has one more parameter now, and another result (prisma/functions).
DROP FUNCTION IF EXISTS admit_caller(text, timestamptz, text, text, int, bytea, text, text, text, text);
