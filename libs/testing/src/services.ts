/** Asks the run's test services (started by Vitest's global set-up, tools/checks) for something. */
export async function requestTestServices<T>(method: 'POST' | 'DELETE', path: string): Promise<T> {
  const base = process.env.PARTYLINE_TEST_SERVICES;
  if (!base) {
    throw new Error(
      'No test services: run the tests with `npm test`, or `npx vitest --config tools/checks/vitest.config.ts` from the top of the checkout.',
    );
  }
  const reply = await fetch(`${base}${path}`, { method });
  const body = (await reply.json()) as T & { error?: string };
  if (!reply.ok) throw new Error(`Test services could not do ${method} ${path}: ${body.error ?? reply.status}`);
  return body;
}
