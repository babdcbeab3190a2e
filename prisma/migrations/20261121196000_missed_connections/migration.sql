-- AlterTable
ALTER TABLE "leg" ADD COLUMN     "media_missed_at" TIMESTAMPTZ(3);
