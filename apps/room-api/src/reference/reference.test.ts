import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openApi } from '@partyline/contracts/openapi';
import { OPERATIONS } from '@partyline/contracts/operations';
import { agreeable, startStage, type Stage } from '../testing/test-harness.ts';
import { VERSION } from '../version.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await startStage(() => agreeable);
});
afterAll(() => stage.stop());

describe('the OpenAPI document', () => {
  it('is served to everybody', async () => {
    const { status, body } = await stage.ask('GET', '/v1/openapi.json', { key: null });
    expect([status, body]).toEqual([200, JSON.parse(JSON.stringify(openApi('0.0.0')))]);
  });

  it('is the one in docs/openapi.json; if not: npm run openapi -w apps/room-api', async () => {
    const kept: unknown = JSON.parse(await readFile(new URL('../../../../docs/openapi.json', import.meta.url), 'utf8'));
    expect(kept).toEqual(JSON.parse(JSON.stringify(openApi(VERSION))));
  });

  it('names every route that there is, and no other', async () => {
    const { paths } = openApi(VERSION);
    const named = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`),
    );
    // What an address takes it says when it is asked by a method that the document does not have.
    const there: string[] = [];
    for (const [path, methods] of Object.entries(paths)) {
      const other = ['put', 'delete', 'patch', 'post'].find((method) => !Object.hasOwn(methods, method)) ?? '';
      const { headers } = await stage.ask(other.toUpperCase(), path.replaceAll(/\{\w+\}/g, 'x_y'));
      for (const method of headers.get('allow')?.split(', ') ?? [])
        if (method !== 'HEAD') there.push(`${method.toLowerCase()} ${path}`);
    }
    expect(there.toSorted()).toEqual(named.toSorted());
  });
});

describe('the reference page', () => {
  it('tells every operation and schema, and loads nothing', async () => {
    const { status, headers, body } = await stage.ask('GET', '/docs', { key: null });
    expect([status, headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    const { paths, components } = openApi(VERSION);
    for (const operation of Object.values(paths).flatMap((methods) => Object.values(methods)))
      expect(body).toContain(`id="${operation.operationId}"`);
    for (const name of Object.keys(components.schemas)) expect(body).toContain(`id="${name}"`);
    for (const { id, scope } of OPERATIONS)
      expect(String(body).split(`<h3 id="${id}">`)[1]?.split('<h3')[0]).toContain(
        scope === 'operator' ? 'with an operator’s key' : `with the scope <code>${scope}</code>`,
      );
    expect(body).toContain('<code>Last-Event-ID</code>');
    for (const name of Object.keys(openApi(VERSION).webhooks)) expect(body).toContain(`<code>${name}</code>`);
    expect(body).not.toMatch(/<script|<link|<img|src=|@import|url\(/);
    // Every link leads somewhere on the page, or to the document.
    for (const [, target = ''] of String(body).matchAll(/href="([^"]+)"/g))
      expect(target === '/v1/openapi.json' || String(body).includes(`id="${target.slice(1)}"`)).toBe(true);
  });
});
