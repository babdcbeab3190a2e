import { globSync } from 'node:fs';
import { defaultServerConditions } from 'vite';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  // For Nest. Set here because a tsconfig applies only to the files it includes, and builds exclude
  // test helpers.
  oxc: { decorator: { legacy: true, emitDecoratorMetadata: true } },
  ssr: {
    resolve: {
      // Tests import libraries from source, without a build. With the condition `module`, the
      // CommonJS package `pg` would resolve to a file that Node cannot load.
      conditions: ['@partyline/source', ...defaultServerConditions.filter((condition) => condition !== 'module')],
    },
  },
  test: {
    include: ['**/src/**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**'],
    // A repository without tests passes; one whose tests are not found fails.
    passWithNoTests: globSync('{src,libs,apps,tools}/**/*.test.ts', { exclude: ['**/node_modules/**'] }).length === 0,
    pool: 'forks',
    maxWorkers: 2,
    // Longer than any wait inside a test, so that the inner wait fails first and names its
    // condition.
    testTimeout: 60_000,
    // The first run downloads Redis and creates a database cluster.
    hookTimeout: 120_000,
    // The default of one second fails on a busy machine.
    expect: { poll: { timeout: 30_000, interval: 20 } },
    teardownTimeout: 20_000,
    unstubEnvs: true,
    restoreMocks: true,
    globalSetup: [`${import.meta.dirname}/src/test-services/setup.ts`],
  },
});
