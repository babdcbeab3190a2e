-- How long a spoken goodbye may take before the call is hung up.
CREATE OR REPLACE FUNCTION goodbye_time() RETURNS interval
LANGUAGE sql IMMUTABLE
AS $$
  SELECT interval '15 seconds'
$$;
