-- How long a prompt may stay unanswered before the call is hung up. Longer than the slowest PIN that the
-- provider accepts: the prompt (10 seconds, 40 in slow mode), 5 seconds before each of 12 digits and
-- after the last (DIGIT_TIMEOUT_SECONDS), and the request. So each entry is answered by a prompt; only a
-- call whose request is lost is hung up without one.
CREATE OR REPLACE FUNCTION pin_entry_time(p_slow boolean) RETURNS interval
LANGUAGE sql IMMUTABLE
AS $$
  SELECT CASE WHEN p_slow THEN interval '110 seconds' ELSE interval '80 seconds' END
$$;
