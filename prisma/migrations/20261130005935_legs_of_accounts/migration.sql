ALTER TABLE leg ADD COLUMN voice_missing_lists INTEGER NOT NULL DEFAULT 0;

-- A leg at a tenant's account is that tenant's from its first row, and so are its records.
UPDATE leg l SET tenant_id = a.tenant_id FROM provider_account a WHERE a.id = l.account_id AND l.tenant_id IS NULL;
UPDATE cdr c SET tenant_id = l.tenant_id
FROM leg l
WHERE l.id = c.leg_id AND l.account_id IS NOT NULL AND c.tenant_id IS NULL;
UPDATE hang_up_attempt h SET tenant_id = l.tenant_id
FROM leg l
WHERE l.id = h.leg_id AND l.account_id IS NOT NULL AND h.tenant_id IS NULL;
UPDATE observation o SET tenant_id = l.tenant_id
FROM leg l
WHERE l.id = o.leg_id AND l.account_id IS NOT NULL AND o.tenant_id IS NULL;
ALTER TABLE leg ADD CONSTRAINT leg_account_tenant CHECK (account_id IS NULL OR tenant_id IS NOT NULL);

-- For is_account_busy.
CREATE INDEX leg_never_seen ON leg (account_id, ended_at) WHERE voice_missing_lists >= 3;
