-- Both take look-ups under several keys now (prisma/functions).
DROP FUNCTION IF EXISTS admit_caller(text, timestamptz, text, text, int, bytea, text, text, text, text, boolean);
DROP FUNCTION IF EXISTS reserve_pin_head(text, bytea, int);
