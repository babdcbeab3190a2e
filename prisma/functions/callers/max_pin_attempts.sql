-- How often a caller may key a PIN in a call, and for how long from each prompt; in slow mode the prompt takes half a minute by itself. Here and nowhere else.
CREATE OR REPLACE FUNCTION max_pin_attempts(p_slow boolean)
 RETURNS integer
 LANGUAGE sql
 IMMUTABLE
AS $$ SELECT CASE WHEN p_slow THEN 1 ELSE 3 END $$
;
