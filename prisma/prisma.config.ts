import { defineConfig } from 'prisma/config';

/** Paths are relative to this file's folder's parent: Prisma is run from the top of the checkout. */
export default defineConfig({
  schema: 'prisma/schema.prisma',
  migrations: { path: 'prisma/migrations' },
});
