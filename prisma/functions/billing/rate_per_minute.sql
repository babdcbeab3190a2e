-- The price of a minute of one handle of a leg, in millionths: the rate with the longest matching prefix;
-- 1,000,000 where no rate matches.
-- plpgsql and not SQL: an SQL function is planned for each call, and a month has many records.
CREATE OR REPLACE FUNCTION rate_per_minute(p_direction text, p_handle text, p_number text, p_currency text)
RETURNS bigint
LANGUAGE plpgsql STABLE
AS $$
BEGIN
  RETURN COALESCE(
    (
      SELECT r.micro_per_minute
      FROM platform_rate r
      WHERE r.what = CASE p_direction WHEN 'bridge' THEN 'bridge-' || p_handle ELSE p_direction END
        AND r.currency = p_currency
        AND COALESCE(p_number, '') LIKE r.prefix || '%'
      ORDER BY length(r.prefix) DESC
      LIMIT 1
    ),
    1000000
  );
END $$;
