-- The cost of a call record by the operator's current rates, in millionths.
CREATE OR REPLACE FUNCTION reestimate(p_cdr cdr, p_seconds int, p_currency text) RETURNS bigint
LANGUAGE plpgsql STABLE
AS $$
BEGIN
  RETURN p_seconds * rate_per_minute(
    p_cdr.direction,
    p_cdr.handle,
    CASE p_cdr.direction
      WHEN 'outbound' THEN (SELECT l.remote FROM leg l WHERE l.id = p_cdr.leg_id)
      ELSE p_cdr.number
    END,
    p_currency
  ) / 60;
END $$;
