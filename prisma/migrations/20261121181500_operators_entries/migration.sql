-- AlterTable
ALTER TABLE "audit_entry" ADD COLUMN     "about" TEXT[] DEFAULT ARRAY[]::TEXT[];

-- CreateIndex
CREATE INDEX "audit_entry_about_idx" ON "audit_entry" USING GIN ("about");


-- What Prisma's schema cannot say ------------------------------------------------------------------------------------------------

-- A tenant reads what operators did to it, and can neither close such an entry nor write one that another tenant is shown.
DROP POLICY tenant_rows ON audit_entry;
CREATE POLICY tenant_rows ON audit_entry TO partyline_tenant
  USING (tenant_id = (SELECT tenant_in_context()) OR about @> ARRAY[(SELECT tenant_in_context())]) WITH CHECK (tenant_id = (SELECT tenant_in_context()) AND about = '{}');
