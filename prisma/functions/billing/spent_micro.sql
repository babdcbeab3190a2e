-- What a record counts for in a currency: the provider's charge if it is in that; else what the operator's rates in it made of the seconds, when it was written, or now if its
-- tenant's currency is another since. Amounts of two currencies are never added up. Its body is put in the place of its call, so that a month's many records cost no call each.
CREATE OR REPLACE FUNCTION spent_micro(p_cdr cdr, p_currency text)
 RETURNS bigint
 LANGUAGE sql
 STABLE
AS $$
  SELECT CASE
    WHEN p_cdr.currency = p_currency THEN COALESCE(p_cdr.price_micro, p_cdr.estimate_micro)
    WHEN p_cdr.tenant_currency = p_currency THEN p_cdr.tenant_estimate_micro
    ELSE reestimate(p_cdr, p_cdr.seconds, p_currency) END
$$
;
