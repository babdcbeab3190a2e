-- AlterTable
ALTER TABLE "leg" ADD COLUMN     "media_made_at" TIMESTAMPTZ(3);
