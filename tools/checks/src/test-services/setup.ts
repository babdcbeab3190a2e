import { serveTestServices } from './serve.ts';

/**
 * Vitest's global setup: serves Postgres and Redis to the test files of one run. Each starts on
 * first use, so packages without database tests do not wait for them.
 */
export default async function setup(): Promise<() => Promise<void>> {
  const services = await serveTestServices();
  // Workers are forked later and inherit this variable, which libs/testing reads.
  process.env.PARTYLINE_TEST_SERVICES = services.url;
  return () => services.stop();
}
