import { globSync } from 'node:fs';
import { defaultServerConditions } from 'vite';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  // Nest's decorators, said here because a tsconfig speaks only for the files it includes, and test helpers are excluded from the build's.
  oxc: { decorator: { legacy: true, emitDecoratorMetadata: true } },
  ssr: {
    resolve: {
      // Libraries from source, so that a test needs no build. Not `module`: with it, the CommonJS `pg` resolves to a file Node cannot load.
      conditions: ['@partyline/source', ...defaultServerConditions.filter((condition) => condition !== 'module')],
    },
  },
  test: {
    include: ['**/src/**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**'],
    // A package without tests yet is not a failure of `npm test`; one whose tests were not found is.
    passWithNoTests: globSync('{src,libs,apps,tools}/**/*.test.ts', { exclude: ['**/node_modules/**'] }).length === 0,
    pool: 'forks',
    maxWorkers: 2,
    // Limits on waiting, no bounds under test: longer than any wait inside a test, so that what is missing is said by that.
    testTimeout: 60_000,
    // A first run fetches Redis and makes a database cluster.
    hookTimeout: 120_000,
    // The default is one second, which is a bound on how busy the machine may be.
    expect: { poll: { timeout: 30_000, interval: 20 } },
    teardownTimeout: 20_000,
    unstubEnvs: true,
    restoreMocks: true,
    globalSetup: [`${import.meta.dirname}/src/test-services/setup.ts`],
  },
});
