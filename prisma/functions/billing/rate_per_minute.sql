-- What a minute of one side of a leg is taken to cost, in millionths: the rate of the longest prefix that fits. What is in nobody's list is taken to be dear.
-- Not in plain SQL, which is planned anew at each call: a month's records are many.
CREATE OR REPLACE FUNCTION rate_per_minute(p_direction text, p_handle text, p_number text, p_currency text)
 RETURNS bigint
 LANGUAGE plpgsql
 STABLE
AS $$
BEGIN
  RETURN COALESCE((
    SELECT r.micro_per_minute FROM platform_rate r
    WHERE r.what = CASE p_direction WHEN 'bridge' THEN 'bridge-' || p_handle ELSE p_direction END AND r.currency = p_currency AND COALESCE(p_number, '') LIKE r.prefix || '%'
    ORDER BY length(r.prefix) DESC LIMIT 1), 1000000);
END $$
;
