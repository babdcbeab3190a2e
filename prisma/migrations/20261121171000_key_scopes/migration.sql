-- AlterTable
ALTER TABLE "api_key" ADD COLUMN     "scopes" TEXT[] DEFAULT ARRAY['admin']::TEXT[];
