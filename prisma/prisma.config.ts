import { defineConfig } from 'prisma/config';

/**
 * Paths are relative to this file. Without network only `generate`, `validate` and `format` work:
 * `npm run generate` shows how.
 */
export default defineConfig({
  schema: 'schema.prisma',
  migrations: { path: 'migrations' },
});
