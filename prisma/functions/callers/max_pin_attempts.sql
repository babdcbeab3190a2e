-- How many PINs a caller may key in one call.
CREATE OR REPLACE FUNCTION max_pin_attempts(p_slow boolean) RETURNS int
LANGUAGE sql IMMUTABLE
AS $$
  SELECT CASE WHEN p_slow THEN 1 ELSE 3 END
$$;
