-- Adds a call record to the sums of its month and its room; p_sign -1 subtracts it.
--
-- A tenant's month has sixteen parts, by hash of the room, so that few writers wait for each other.
-- Parts and not rooms, because a tenant may create a room for each meeting.
-- Locks: an advisory lock of the tenant and the part, once for all sums that are written here.
CREATE OR REPLACE FUNCTION add_to_sums(p_cdr cdr, p_sign int) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
  v_part int := hashtext(COALESCE(p_cdr.room_id, '')) & 15;
  v_seconds bigint := p_sign * p_cdr.seconds;
  v_micro numeric := p_sign * COALESCE(p_cdr.price_micro, p_cdr.estimate_micro);
  v_tenant_micro bigint := p_sign * COALESCE(p_cdr.tenant_estimate_micro, 0);
  v_tenant_currency text := COALESCE(p_cdr.tenant_currency, '');
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended(format('sums %s %s', v_part, p_cdr.tenant_id), 0));

  INSERT INTO month_sum AS s (tenant_id, month, part, currency, tenant_currency, seconds, micro, tenant_micro)
  VALUES (
    p_cdr.tenant_id, date_trunc('month', p_cdr.ended_at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC', v_part,
    p_cdr.currency, v_tenant_currency, v_seconds, v_micro, v_tenant_micro
  )
  ON CONFLICT (tenant_id, month, part, currency, tenant_currency) DO UPDATE
  SET seconds = s.seconds + EXCLUDED.seconds,
    micro = s.micro + EXCLUDED.micro,
    tenant_micro = s.tenant_micro + EXCLUDED.tenant_micro;

  IF p_cdr.room_id IS NOT NULL THEN
    INSERT INTO room_sum AS s (tenant_id, room_id, currency, tenant_currency, seconds, micro, tenant_micro)
    VALUES (
      p_cdr.tenant_id, p_cdr.room_id, p_cdr.currency, v_tenant_currency, v_seconds, v_micro, v_tenant_micro
    )
    ON CONFLICT (tenant_id, room_id, currency, tenant_currency) DO UPDATE
    SET seconds = s.seconds + EXCLUDED.seconds,
      micro = s.micro + EXCLUDED.micro,
      tenant_micro = s.tenant_micro + EXCLUDED.tenant_micro;
  END IF;
END $$;
