-- Whose rows a transaction sees (reliability.md §5). Services connect as a user who owns nothing and is a member of two roles:
--   partyline_tenant    sees the rows of the tenant in `partyline.tenant`, set inside the transaction; without it, none;
--   partyline_platform  sees every tenant's: the sweeps, and what has to find out whose a call or a key is.
-- Neither owns a table nor has BYPASSRLS, and row-level security is forced on the owner too. A migration that changes rows says
-- SET LOCAL ROLE partyline_platform first.

-- Roles belong to the whole server, so another database of it may have them, or be making them now.
DO $$
DECLARE
  v_role text;
BEGIN
  FOREACH v_role IN ARRAY ARRAY['partyline_tenant', 'partyline_platform'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = v_role) THEN
      BEGIN
        EXECUTE format('CREATE ROLE %I NOLOGIN NOSUPERUSER NOBYPASSRLS', v_role);
      EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
      END;
    END IF;
    -- Who migrates may act as both: the next migration has to, and so do tools that prepare a database.
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN EXECUTE format('GRANT %I TO %I', v_role, current_user); END IF;
  END LOOP;
END $$;

-- Whose context this transaction is in; null without one.
CREATE FUNCTION tenant_in_context() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$ SELECT nullif(current_setting('partyline.tenant', true), '') $$;

-- Puts a table of tenants' rows behind row-level security. `p_whose` says which rows are the tenant's in context, where a `tenant_id` alone does not.
-- Every migration that makes a table with a tenant_id calls this; a test reads the catalogue and fails for one that was forgotten.
CREATE FUNCTION isolate_tenants(p_table regclass, p_grants text DEFAULT 'SELECT, INSERT, UPDATE, DELETE', p_whose text DEFAULT 'tenant_id = (SELECT tenant_in_context())') RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', p_table);
  EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', p_table);
  EXECUTE format('CREATE POLICY tenant_rows ON %s TO partyline_tenant USING (%s) WITH CHECK (tenant_id = (SELECT tenant_in_context()))', p_table, p_whose);
  EXECUTE format('CREATE POLICY every_row ON %s TO partyline_platform USING (true) WITH CHECK (true)', p_table);
  EXECUTE format('GRANT %s ON %s TO partyline_tenant', p_grants, p_table);
  PERFORM share_with_platform(p_table);
END $$;

-- Lets the operator's side read and write a table.
CREATE FUNCTION share_with_platform(p_table regclass) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  v_sequence regclass;
BEGIN
  EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO partyline_platform', p_table);
  FOR v_sequence IN SELECT d.objid::regclass FROM pg_depend d JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'S' WHERE d.refobjid = p_table LOOP
    EXECUTE format('GRANT USAGE ON SEQUENCE %s TO partyline_tenant, partyline_platform', v_sequence);
  END LOOP;
END $$;

SELECT isolate_tenants(t) FROM unnest(ARRAY['api_key', 'room', 'pin', 'session', 'participant', 'leg', 'outbox']::regclass[]) AS t;

-- What was noted of a caller before admission has no tenant, and is its leg's all the same.
SELECT isolate_tenants(t, 'SELECT, INSERT, UPDATE, DELETE', 'tenant_id = (SELECT tenant_in_context()) OR (tenant_id IS NULL AND leg_id IN (SELECT l.id FROM leg l))')
FROM unnest(ARRAY['hang_up_attempt', 'observation']::regclass[]) AS t;

-- A tenant sees its own row, and changes nothing in it.
ALTER TABLE tenant ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenant FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_rows ON tenant FOR SELECT TO partyline_tenant USING (id = (SELECT tenant_in_context()));
CREATE POLICY every_row ON tenant TO partyline_platform USING (true) WITH CHECK (true);
GRANT SELECT ON tenant TO partyline_tenant;
SELECT share_with_platform('tenant');

-- Nobody's rows.
SELECT share_with_platform(t) FROM unnest(ARRAY['dial_in_number', 'webhook_jti', 'provider_pace', 'stray', 'turn']::regclass[]) AS t;
GRANT SELECT ON dial_in_number TO partyline_tenant;
GRANT SELECT, INSERT ON webhook_jti TO partyline_tenant;

-- How many live PINs a number holds, whoever's they are: it decides how long the next one must be. From 7,000 on it has the most digits
-- (libs/domain/src/pin.ts), so it counts no further: a million took 0.2 s, for every new room.
CREATE FUNCTION count_pins(p_number text) RETURNS int LANGUAGE sql STABLE AS $$
  SELECT count(*)::int FROM (SELECT FROM pin WHERE number = p_number AND free_at IS NULL LIMIT 7000) AS counted
$$;

-- It counts everybody's, and says no more than the number.
GRANT CREATE ON SCHEMA public TO partyline_platform;
ALTER FUNCTION count_pins(text) SECURITY DEFINER SET search_path = public, pg_temp;
ALTER FUNCTION count_pins(text) OWNER TO partyline_platform;
REVOKE ALL ON FUNCTION count_pins(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION count_pins(text) TO partyline_tenant, partyline_platform;
REVOKE CREATE ON SCHEMA public FROM partyline_platform;
