-- How long a good-bye that is spoken may take before its call is hung up.
CREATE OR REPLACE FUNCTION goodbye_time()
 RETURNS interval
 LANGUAGE sql
 IMMUTABLE
AS $$ SELECT interval '15 seconds' $$
;
