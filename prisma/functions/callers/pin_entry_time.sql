-- How long a caller has for a PIN, from the start of the prompt. The slow-mode prompt takes 30 seconds.
CREATE OR REPLACE FUNCTION pin_entry_time(p_slow boolean) RETURNS interval
LANGUAGE sql IMMUTABLE
AS $$
  SELECT CASE WHEN p_slow THEN interval '60 seconds' ELSE interval '30 seconds' END
$$;
