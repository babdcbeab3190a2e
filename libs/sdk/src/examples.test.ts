import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { acceptingProvider, startTestHarness, type TestHarness } from '@partyline/room-api/testing/test-harness';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = new URL('../../..', import.meta.url).pathname;
const examplesIn = (page: string): string[] =>
  [...readFileSync(join(root, page), 'utf8').matchAll(/```ts\n([^]*?)```/g)].map(([, example = '']) => example);

/** Inside the package, so that the examples resolve the SDK by its name. */
const folder = join(import.meta.dirname, 'generated', `examples-${process.pid}`);
let harness: TestHarness;
beforeAll(async () => {
  harness = await startTestHarness(() => acceptingProvider);
  mkdirSync(folder, { recursive: true });
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await harness.stop();
});

describe.each(['README.md', 'libs/sdk/README.md', 'docs/sdk.md'])('%s', (page) => {
  it.each(examplesIn(page).map((example, at) => [at + 1, example] as const))(
    'example %i runs',
    async (at, example) => {
      const file = join(folder, `${page.replaceAll(/\W/g, '-')}-${at}.ts`);
      writeFileSync(file, example);
      const env = {
        PATH: process.env.PATH,
        PARTYLINE_URL: harness.url,
        PARTYLINE_KEY: harness.keys.ours,
        WEBHOOK_SECRET: 'whsec_nVaaDrdyk6G1R2h6n2pPqvQkF3xJr1M8yqXWzG7t0Yk=',
      };
      await expect(
        promisify(execFile)(process.execPath, ['--conditions=@partyline/source', file], { env, timeout: 280_000 }),
      ).resolves.toMatchObject({ stdout: expect.any(String) as string });
    },
    300_000,
  );
});

it.each(['README.md', 'libs/sdk/README.md'])('the first example of %s has at most ten lines', (page) => {
  const [first = ''] = examplesIn(page);
  expect(
    first
      .trim()
      .split('\n')
      .filter((line) => line !== '').length,
  ).toBeLessThanOrEqual(10);
});
