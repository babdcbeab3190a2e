import { describe, expect, it } from 'vitest';
import { openApi, type JsonSchema } from './openapi.ts';

const document = openApi('1.2.3');
const text = JSON.stringify(document);

describe('the OpenAPI document', () => {
  it('resolves every reference it makes', () => {
    for (const [, name = ''] of text.matchAll(/"#\/components\/schemas\/([^"]+)"/g))
      expect(document.components.schemas).toHaveProperty(name);
    expect(text).not.toContain('$defs');
    expect(text).not.toContain('~standard');
  });

  it('says of every field what it means, with an example or a schema of its own', () => {
    const silent: string[] = [];
    for (const [name, schema] of Object.entries(document.components.schemas)) {
      if (schema.description === undefined) silent.push(name);
      for (const [field, described] of Object.entries(schema.properties ?? {})) {
        if (described.$ref !== undefined) continue;
        const points = (each: JsonSchema): boolean =>
          each.$ref !== undefined ||
          each.items?.$ref !== undefined ||
          each.items?.properties !== undefined ||
          (each.anyOf?.some(points) ?? false);
        const shown =
          described.examples !== undefined ||
          points(described) ||
          (described.anyOf?.some((each) => each.examples !== undefined) ?? false);
        const told =
          described.description !== undefined ||
          (described.anyOf?.some((each) => each.description !== undefined) ?? false);
        if (!told || !shown) silent.push(`${name}.${field}`);
      }
    }
    expect(silent).toEqual([]);
  });

  it('refuses unknown fields in requests and leaves replies open', () => {
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

  it('needs only a name for a room', () => expect(document.components.schemas.CreateRoom?.required).toEqual(['name']));

  it('has a key for everything, and a problem for every error', () => {
    expect(document.security).toEqual([{ apiKey: [] }]);
    for (const operation of Object.values(document.paths).flatMap((methods) => Object.values(methods))) {
      const errors = Object.entries(operation.responses).filter(([status]) => Number(status) >= 400);
      expect(errors.map(([status]) => status)).toEqual(expect.arrayContaining(['401', '403', '500']));
      for (const [, reply] of errors) expect(Object.keys(reply.content)).toEqual(['application/problem+json']);
    }
  });
});
