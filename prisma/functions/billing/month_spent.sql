-- Sums the seconds and the cost of a tenant's call records of this month in a currency (spent_micro). The sum of
-- exact prices is rounded once, up.
CREATE OR REPLACE FUNCTION month_spent(p_tenant text, p_currency text) RETURNS TABLE (seconds bigint, micro bigint)
LANGUAGE plpgsql STABLE SET enable_seqscan = off
AS $$
DECLARE
  v_others boolean;
BEGIN
  SELECT
    COALESCE(sum(s.seconds), 0),
    ceil(COALESCE(sum(CASE p_currency WHEN s.currency THEN s.micro WHEN s.tenant_currency THEN s.tenant_micro END), 0)),
    COALESCE(bool_or(s.seconds <> 0 AND p_currency NOT IN (s.currency, s.tenant_currency)), false)
  INTO seconds, micro, v_others
  FROM month_sum s
  WHERE s.tenant_id = p_tenant AND s.month >= this_month();
  IF v_others THEN
    micro := micro + estimate_other_currencies(p_tenant, NULL, p_currency);
  END IF;
  RETURN NEXT;
END $$;
