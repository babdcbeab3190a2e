import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openApi } from '@partyline/contracts/openapi';
import { OPERATIONS } from '@partyline/contracts/operations';
import { acceptingProvider, startTestHarness, type TestHarness } from '../testing/test-harness.ts';
import { VERSION } from '../version.ts';
import { insertReasonList } from './reason-list.ts';

let harness: TestHarness;
beforeAll(async () => {
  harness = await startTestHarness(() => acceptingProvider);
});
afterAll(() => harness.stop());

const readDocs = (name: string): Promise<string> =>
  readFile(new URL(`../../../../docs/${name}`, import.meta.url), 'utf8');

describe('the OpenAPI document', () => {
  it('is served without a key', async () => {
    const { status, body } = await harness.request('GET', '/v1/openapi.json', { key: null });
    expect([status, body]).toEqual([200, JSON.parse(JSON.stringify(openApi(VERSION)))]);
  });

  it('equals docs/openapi.json (npm run openapi -w apps/room-api)', async () => {
    const stored: unknown = JSON.parse(await readDocs('openapi.json'));
    expect(stored).toEqual(JSON.parse(JSON.stringify(openApi(VERSION))));
  });

  it('names every route and no other', async () => {
    const { paths } = openApi(VERSION);
    const documented = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`),
    );
    // The 405 reply to a method outside the document lists the methods of a path.
    const served: string[] = [];
    for (const [path, methods] of Object.entries(paths)) {
      const other = ['put', 'delete', 'patch', 'post'].find((method) => !Object.hasOwn(methods, method)) ?? '';
      const { headers } = await harness.request(other.toUpperCase(), path.replaceAll(/\{\w+\}/g, 'x_y'));
      for (const method of headers.get('allow')?.split(', ') ?? [])
        if (method !== 'HEAD') served.push(`${method.toLowerCase()} ${path}`);
    }
    expect(served.toSorted()).toEqual(documented.toSorted());
  });
});

it('docs/api.md has the current list of reasons (npm run openapi -w apps/room-api)', async () => {
  const page = await readDocs('api.md');
  expect(page).toBe(insertReasonList(page));
});

describe('the reference page', () => {
  it('has every operation, schema and webhook, and loads nothing', async () => {
    const { status, headers, body } = await harness.request('GET', '/docs', { key: null });
    expect([status, headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    expect(headers.get('content-security-policy')).toBe("default-src 'none'; style-src 'unsafe-inline'");
    const { paths, components, webhooks } = openApi(VERSION);
    for (const operation of Object.values(paths).flatMap((methods) => Object.values(methods)))
      expect(body).toContain(`id="${operation.operationId}"`);
    for (const name of Object.keys(components.schemas)) expect(body).toContain(`id="${name}"`);
    for (const { id, scope } of OPERATIONS)
      expect(String(body).split(`<h3 id="${id}">`)[1]?.split('<h3')[0]).toContain(
        scope === 'operator' ? 'with an operator key' : `with the scope <code>${scope}</code>`,
      );
    expect(body).toContain('<code>Last-Event-ID</code>');
    for (const name of Object.keys(webhooks)) expect(body).toContain(`<code>${name}</code>`);
    expect(body).not.toMatch(/<script|<link|<img|src=|@import|url\(/);
  });

  it('has no broken links', async () => {
    const { body } = await harness.request('GET', '/docs', { key: null });
    for (const [, target = ''] of String(body).matchAll(/href="([^"]+)"/g))
      expect(target === '/v1/openapi.json' || String(body).includes(`id="${target.slice(1)}"`)).toBe(true);
  });
});
