-- All have one more result (prisma/functions).
DROP FUNCTION IF EXISTS admit_caller(text, timestamptz, text, text, int, bytea[], text, text, text, text, boolean);
DROP FUNCTION IF EXISTS answer_caller(text, timestamptz, text, text, text, text, text, text, text, text);
DROP FUNCTION IF EXISTS admit_to_session(leg, text, text, text, text, text, text);
