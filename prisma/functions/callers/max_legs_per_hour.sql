-- How many calls, and how many browser connections, of a tenant's account may begin within an hour
-- (is_account_busy, libs/store/src/provider-accounts/guard-connection.ts).
CREATE OR REPLACE FUNCTION max_legs_per_hour() RETURNS int
LANGUAGE sql IMMUTABLE
AS $$
  SELECT 3600
$$;
