-- It has one more result (prisma/functions).
DROP FUNCTION IF EXISTS answer_own_leg(text, timestamptz, text, bytea, text, text);
