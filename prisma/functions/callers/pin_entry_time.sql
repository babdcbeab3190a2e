CREATE OR REPLACE FUNCTION pin_entry_time(p_slow boolean)
 RETURNS interval
 LANGUAGE sql
 IMMUTABLE
AS $$ SELECT CASE WHEN p_slow THEN interval '60 seconds' ELSE interval '30 seconds' END $$
;
