-- The cost of a call record in a currency, in millionths: the provider's charge or the first estimate, if
-- it is in that currency; else an estimate by the current rates. Amounts of different currencies are
-- never added. Plain SQL, so that Postgres inlines it.
CREATE OR REPLACE FUNCTION spent_micro(p_cdr cdr, p_currency text) RETURNS numeric
LANGUAGE sql STABLE
AS $$
  SELECT CASE
    WHEN p_cdr.currency = p_currency THEN COALESCE(p_cdr.price_micro, p_cdr.estimate_micro)
    WHEN p_cdr.tenant_currency = p_currency THEN p_cdr.tenant_estimate_micro
    ELSE reestimate(p_cdr, p_cdr.seconds, p_currency)
  END
$$;
