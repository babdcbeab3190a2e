import { describe, expect, it } from 'vitest';
import { OPERATIONS } from './operations.ts';
import { openApi, type JsonSchema } from './openapi.ts';

const document = openApi('1.2.3');
const text = JSON.stringify(document);

describe('openApi', () => {
  it('defines every schema that it refers to', () => {
    for (const [, name = ''] of text.matchAll(/"#\/components\/schemas\/([^"]+)"/g))
      expect(document.components.schemas).toHaveProperty(name);
    expect(text).not.toContain('$defs');
    expect(text).not.toContain('~standard');
  });

  it('describes every field and has an example or a schema for it', () => {
    const undocumented: string[] = [];
    for (const [name, schema] of Object.entries(document.components.schemas)) {
      if (schema.description === undefined) undocumented.push(name);
      for (const [field, described] of Object.entries(schema.properties ?? {})) {
        if (described.$ref !== undefined) continue;
        const hasSchema = (each: JsonSchema): boolean =>
          each.$ref !== undefined ||
          each.items?.$ref !== undefined ||
          each.items?.properties !== undefined ||
          (each.anyOf?.some(hasSchema) ?? false);
        const hasExample =
          described.examples !== undefined ||
          hasSchema(described) ||
          (described.anyOf?.some((each) => each.examples !== undefined) ?? false);
        const hasDescription =
          described.description !== undefined ||
          (described.anyOf?.some((each) => each.description !== undefined) ?? false);
        if (!hasDescription || !hasExample) undocumented.push(`${name}.${field}`);
      }
    }
    expect(undocumented).toEqual([]);
  });

  it('states the order of every list of a reply', () => {
    const ORDER = /\b(first|order|ordered)\b/i;
    const unordered = OPERATIONS.filter(({ method }) => method === 'get').flatMap(({ id, description, reply }) => {
      const name = reply.schema.meta()?.id ?? '';
      return Object.entries(document.components.schemas[name]?.properties ?? {})
        .filter(([, field]) => field.type === 'array' && field.items?.$ref !== undefined)
        .filter(([, field]) => !ORDER.test(field.description ?? '') && !ORDER.test(description))
        .map(([field]) => `${id}.${field}`);
    });
    expect(unordered).toEqual([]);
  });

  it('rejects unknown fields in requests and allows them in replies', () => {
    const { schemas } = document.components;
    expect(['CreateRoom', 'TokenRequest', 'AddParticipant'].map((name) => schemas[name]?.additionalProperties)).toEqual(
      [false, false, false],
    );
    expect(['Room', 'CreatedRoom', 'Leg', 'Problem'].map((name) => schemas[name]?.additionalProperties)).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('requires only a name to create a room', () =>
    expect(document.components.schemas.CreateRoom?.required).toEqual(['name']));

  it('requires a key for every operation and describes every error as a problem', () => {
    expect(document.security).toEqual([{ apiKey: [] }]);
    for (const operation of Object.values(document.paths).flatMap((methods) => Object.values(methods))) {
      const errors = Object.entries(operation.responses).filter(([status]) => Number(status) >= 400);
      expect(errors.map(([status]) => status)).toEqual(expect.arrayContaining(['401', '403', '500']));
      for (const [, reply] of errors) expect(Object.keys(reply.content)).toEqual(['application/problem+json']);
    }
  });
});
