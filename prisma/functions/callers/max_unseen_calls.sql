-- How many calls of a tenant's account may be neither in a session nor confirmed ended (is_account_busy).
-- Twenty numbers of the account with the default of ten callers at the PIN prompt each.
CREATE OR REPLACE FUNCTION max_unseen_calls() RETURNS int
LANGUAGE sql IMMUTABLE
AS $$
  SELECT 200
$$;
