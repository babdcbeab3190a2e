-- CreateTable
CREATE TABLE "month_sum" (
    "tenant_id" TEXT NOT NULL,
    "month" TIMESTAMPTZ(3) NOT NULL,
    "part" INTEGER NOT NULL,
    "currency" TEXT NOT NULL,
    "own_currency" TEXT NOT NULL,
    "seconds" BIGINT NOT NULL,
    "micro" BIGINT NOT NULL,
    "own_micro" BIGINT NOT NULL,

    CONSTRAINT "month_sum_pkey" PRIMARY KEY ("tenant_id","month","part","currency","own_currency")
);

-- CreateTable
CREATE TABLE "room_sum" (
    "tenant_id" TEXT NOT NULL,
    "room_id" TEXT NOT NULL,
    "currency" TEXT NOT NULL,
    "own_currency" TEXT NOT NULL,
    "seconds" BIGINT NOT NULL,
    "micro" BIGINT NOT NULL,
    "own_micro" BIGINT NOT NULL,

    CONSTRAINT "room_sum_pkey" PRIMARY KEY ("tenant_id","room_id","currency","own_currency")
);


-- By hand from here on.

SELECT isolate_tenants(t) FROM unnest(ARRAY['month_sum', 'room_sum']::regclass[]) AS t;

-- What a limit is held against is summed up while a caller waits, and a month's records are many (seen: 400,000 of them, half a second for one caller, and of several at once
-- some were refused). So their sums are kept: by the database itself, so that no writer can forget it, and in the transaction that writes the record.

-- Adds a record to the sums, or (p_sign -1) takes it out of them. A tenant's month is kept in sixteen parts, by room, so that few who write at once wait for each other; not by
-- room itself, since a tenant may make one for each meeting. The lock is one for all that is written of a room, so that two who write several sums cannot wait for each other.
CREATE FUNCTION add_to_sums(p_cdr cdr, p_sign int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  v_part int := hashtext(COALESCE(p_cdr.room_id, '')) & 15;
  v_seconds bigint := p_sign * p_cdr.seconds;
  v_micro bigint := p_sign * COALESCE(p_cdr.price_micro, p_cdr.estimate_micro);
  v_own_micro bigint := p_sign * COALESCE(p_cdr.own_estimate_micro, 0);
  v_own_currency text := COALESCE(p_cdr.own_currency, '');
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended(format('sums %s %s', v_part, p_cdr.tenant_id), 0));
  INSERT INTO month_sum AS s (tenant_id, month, part, currency, own_currency, seconds, micro, own_micro)
  VALUES (p_cdr.tenant_id, date_trunc('month', p_cdr.ended_at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC', v_part, p_cdr.currency, v_own_currency, v_seconds, v_micro, v_own_micro)
  ON CONFLICT (tenant_id, month, part, currency, own_currency) DO UPDATE SET seconds = s.seconds + EXCLUDED.seconds, micro = s.micro + EXCLUDED.micro, own_micro = s.own_micro + EXCLUDED.own_micro;
  IF p_cdr.room_id IS NOT NULL THEN
    INSERT INTO room_sum AS s (tenant_id, room_id, currency, own_currency, seconds, micro, own_micro)
    VALUES (p_cdr.tenant_id, p_cdr.room_id, p_cdr.currency, v_own_currency, v_seconds, v_micro, v_own_micro)
    ON CONFLICT (tenant_id, room_id, currency, own_currency) DO UPDATE SET seconds = s.seconds + EXCLUDED.seconds, micro = s.micro + EXCLUDED.micro, own_micro = s.own_micro + EXCLUDED.own_micro;
  END IF;
END $$;

CREATE FUNCTION keep_sums() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'INSERT' AND OLD.tenant_id IS NOT NULL THEN PERFORM add_to_sums(OLD, -1); END IF;
  IF TG_OP <> 'DELETE' AND NEW.tenant_id IS NOT NULL THEN PERFORM add_to_sums(NEW, 1); END IF;
  RETURN NULL;
END $$;

-- When the transaction commits, so that whoever holds a sum waits for nothing else any more: no session, leg or limit can be part of a circle with it. Only for the columns that
-- count, since a record that is only to be asked for again is written in a crowd of others.
CREATE CONSTRAINT TRIGGER keep_sums
  AFTER INSERT OR DELETE OR UPDATE OF tenant_id, room_id, ended_at, seconds, price_micro, currency, estimate_micro, own_currency, own_estimate_micro ON cdr
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION keep_sums();

-- What records come to that neither were charged in the currency nor have been estimated in it, as estimate_anew has each of them: there are such only of the time before a tenant's
-- currency was changed. Those of a room, or (p_room null) those of the tenant's this month. The price list is asked once for those that are alike, as they may be many.
CREATE FUNCTION estimate_others(p_tenant text, p_room text, p_currency text) RETURNS bigint LANGUAGE plpgsql STABLE SET enable_seqscan = off AS $$
BEGIN
  RETURN (SELECT COALESCE(sum(o.records * (o.seconds * rate_per_minute(o.direction, o.handle, o.rated, p_currency) / 60)), 0) FROM (
    SELECT c.direction, c.handle, CASE c.direction WHEN 'outbound' THEN (SELECT l.remote FROM leg l WHERE l.id = c.leg_id) ELSE c.number END AS rated, c.seconds, count(*) AS records
    FROM (SELECT * FROM cdr m WHERE p_room IS NULL AND m.tenant_id = p_tenant AND m.ended_at >= this_month()
          UNION ALL SELECT * FROM cdr r WHERE r.room_id = p_room AND r.tenant_id = p_tenant) AS c
    WHERE c.currency <> p_currency AND c.own_currency IS DISTINCT FROM p_currency GROUP BY 1, 2, 3, 4) AS o);
END $$;

-- What a tenant's records of this month come to, as spent_micro counts each of them.
CREATE FUNCTION month_spent(p_tenant text, p_currency text) RETURNS TABLE (seconds bigint, micro bigint) LANGUAGE plpgsql STABLE SET enable_seqscan = off AS $$
DECLARE
  v_others boolean;
BEGIN
  SELECT COALESCE(sum(s.seconds), 0), COALESCE(sum(CASE p_currency WHEN s.currency THEN s.micro WHEN s.own_currency THEN s.own_micro END), 0),
    COALESCE(bool_or(s.seconds <> 0 AND p_currency NOT IN (s.currency, s.own_currency)), false)
  INTO seconds, micro, v_others FROM month_sum s WHERE s.tenant_id = p_tenant AND s.month >= this_month();
  IF v_others THEN micro := micro + estimate_others(p_tenant, NULL, p_currency); END IF;
  RETURN NEXT;
END $$;

-- The same of all records that a room ever had.
CREATE FUNCTION room_spent(p_tenant text, p_room text, p_currency text) RETURNS bigint LANGUAGE plpgsql STABLE SET enable_seqscan = off AS $$
DECLARE
  v_micro bigint;
  v_others boolean;
BEGIN
  SELECT COALESCE(sum(CASE p_currency WHEN s.currency THEN s.micro WHEN s.own_currency THEN s.own_micro END), 0), COALESCE(bool_or(s.seconds <> 0 AND p_currency NOT IN (s.currency, s.own_currency)), false)
  INTO v_micro, v_others FROM room_sum s WHERE s.tenant_id = p_tenant AND s.room_id = p_room;
  IF v_others THEN v_micro := v_micro + estimate_others(p_tenant, p_room, p_currency); END IF;
  RETURN v_micro;
END $$;
