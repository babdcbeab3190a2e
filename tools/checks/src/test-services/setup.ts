import { serveTestServices } from './serve.ts';

/**
 * Vitest's global set-up: offers Postgres and Redis to the test files of this run and ends them after it. Neither starts before the first
 * test file asks, so a package without database tests pays nothing.
 */
export default async function setup(): Promise<() => Promise<void>> {
  const services = await serveTestServices();
  // Workers are forked after this and inherit it; libs/testing reads it.
  process.env.PARTYLINE_TEST_SERVICES = services.url;
  return () => services.stop();
}
