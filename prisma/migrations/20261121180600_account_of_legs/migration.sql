-- At which account a number, a session, a leg or a stray call is; null: the platform's.

-- AlterTable
ALTER TABLE "dial_in_number" ADD COLUMN     "account_id" TEXT;

-- AlterTable
ALTER TABLE "session" ADD COLUMN     "account_id" TEXT;

-- AlterTable
ALTER TABLE "leg" ADD COLUMN     "account_id" TEXT;

-- AlterTable
ALTER TABLE "stray" ADD COLUMN     "account_id" TEXT;

-- CreateIndex
CREATE INDEX "dial_in_number_account_id_idx" ON "dial_in_number"("account_id");

-- AddForeignKey: an account with its tenant, so that nothing is at another tenant's.
ALTER TABLE "dial_in_number" ADD CONSTRAINT "dial_in_number_account_id_dedicated_to_fkey" FOREIGN KEY ("account_id", "dedicated_to") REFERENCES "provider_account"("id", "tenant_id") ON DELETE NO ACTION ON UPDATE NO ACTION;

-- AddForeignKey
ALTER TABLE "session" ADD CONSTRAINT "session_account_id_tenant_id_fkey" FOREIGN KEY ("account_id", "tenant_id") REFERENCES "provider_account"("id", "tenant_id") ON DELETE NO ACTION ON UPDATE NO ACTION;

-- AddForeignKey: not before its caller is admitted, who has no tenant until then.
ALTER TABLE "leg" ADD CONSTRAINT "leg_account_id_tenant_id_fkey" FOREIGN KEY ("account_id", "tenant_id") REFERENCES "provider_account"("id", "tenant_id") ON DELETE NO ACTION ON UPDATE NO ACTION;

-- AddForeignKey
ALTER TABLE "stray" ADD CONSTRAINT "stray_account_id_fkey" FOREIGN KEY ("account_id") REFERENCES "provider_account"("id") ON DELETE CASCADE ON UPDATE CASCADE;


-- What Prisma's schema cannot say ------------------------------------------------------------------------------------------------

-- A shared number is nobody's, and a foreign key of which one column is null is not looked at.
ALTER TABLE dial_in_number ADD CONSTRAINT dial_in_number_account CHECK (account_id IS NULL OR dedicated_to IS NOT NULL);
