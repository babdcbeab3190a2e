-- Sums the cost of all call records of a room in a currency (spent_micro). The sum of exact prices is rounded once,
-- up.
CREATE OR REPLACE FUNCTION room_spent(p_tenant text, p_room text, p_currency text) RETURNS bigint
LANGUAGE plpgsql STABLE SET enable_seqscan = off
AS $$
DECLARE
  v_micro bigint;
  v_others boolean;
BEGIN
  SELECT
    ceil(COALESCE(sum(CASE p_currency WHEN s.currency THEN s.micro WHEN s.tenant_currency THEN s.tenant_micro END), 0)),
    COALESCE(bool_or(s.seconds <> 0 AND p_currency NOT IN (s.currency, s.tenant_currency)), false)
  INTO v_micro, v_others
  FROM room_sum s
  WHERE s.tenant_id = p_tenant AND s.room_id = p_room;
  IF v_others THEN
    v_micro := v_micro + estimate_other_currencies(p_tenant, p_room, p_currency);
  END IF;
  RETURN v_micro;
END $$;
