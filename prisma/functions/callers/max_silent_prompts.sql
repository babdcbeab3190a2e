-- How many prompts of one call may end without a digit. The last one is followed by a goodbye.
CREATE OR REPLACE FUNCTION max_silent_prompts() RETURNS int
LANGUAGE sql IMMUTABLE
AS $$
  SELECT 3
$$;
