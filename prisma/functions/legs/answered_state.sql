-- The state of a leg after it was answered; later states stay. The same rule as the table in
-- libs/domain/src/leg.ts: a test compares them.
CREATE OR REPLACE FUNCTION answered_state(p_state text) RETURNS text
LANGUAGE sql IMMUTABLE
AS $$
  SELECT CASE WHEN p_state IN ('requested', 'dialling', 'ringing') THEN 'answered' ELSE p_state END
$$;
