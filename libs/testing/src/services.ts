/**
 * Sends a request to the test services of the run, which Vitest's global set-up (tools/checks)
 * starts.
 */
export async function requestTestServices<T>(method: 'POST' | 'DELETE', path: string, json?: object): Promise<T> {
  const base = process.env.PARTYLINE_TEST_SERVICES;
  if (!base) {
    throw new Error(
      'The test services are not running. Run the tests with `npm test`, or with ' +
        '`npx vitest --config tools/checks/vitest.config.ts` in the root of the checkout.',
    );
  }
  const reply = await fetch(`${base}${path}`, { method, ...(json && { body: JSON.stringify(json) }) });
  const body = (await reply.json()) as T & { error?: string };
  if (!reply.ok) throw new Error(`The test services failed ${method} ${path}: ${body.error ?? reply.status}`);
  return body;
}
