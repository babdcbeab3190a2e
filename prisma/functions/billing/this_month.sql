-- The start of the current month, UTC.
CREATE OR REPLACE FUNCTION this_month() RETURNS timestamptz
LANGUAGE sql STABLE
AS $$
  SELECT date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'
$$;
