CREATE OR REPLACE FUNCTION this_month()
 RETURNS timestamp with time zone
 LANGUAGE sql
 STABLE
AS $$ SELECT date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' $$
;
