-- AlterTable
ALTER TABLE "room" ADD COLUMN     "end_reason" TEXT;
