-- The provider's prices have eight decimals, so micro-units alone would round them. The type of a column that a
-- trigger names cannot change, so the trigger is created again.
DROP TRIGGER maintain_sums ON cdr;

-- Returned bigint; prisma/functions/billing/spent_micro.sql creates it again.
DROP FUNCTION IF EXISTS spent_micro(cdr, text);

ALTER TABLE "cdr"
  ALTER COLUMN "rate_micro" SET DATA TYPE DECIMAL(24,6),
  ALTER COLUMN "price_micro" SET DATA TYPE DECIMAL(24,6);
ALTER TABLE "month_sum" ALTER COLUMN "micro" SET DATA TYPE DECIMAL(30,6);
ALTER TABLE "room_sum" ALTER COLUMN "micro" SET DATA TYPE DECIMAL(30,6);

CREATE CONSTRAINT TRIGGER maintain_sums
  AFTER INSERT OR DELETE OR UPDATE OF
    tenant_id, room_id, ended_at, seconds, price_micro, currency, estimate_micro, tenant_currency, tenant_estimate_micro
  ON cdr DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION maintain_sums();
