CREATE OR REPLACE FUNCTION maintain_sums()
 RETURNS trigger
 LANGUAGE plpgsql
AS $$
BEGIN
  IF TG_OP <> 'INSERT' AND OLD.tenant_id IS NOT NULL THEN PERFORM add_to_sums(OLD, -1); END IF;
  IF TG_OP <> 'DELETE' AND NEW.tenant_id IS NOT NULL THEN PERFORM add_to_sums(NEW, 1); END IF;
  RETURN NULL;
END $$
;
