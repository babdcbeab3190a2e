import { openApi } from '@partyline/contracts/openapi';
import { OPERATIONS } from '@partyline/contracts/operations';
import type { Issue, VerdictError } from '@partyline/domain/verdict';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { body, query } from './parse.ts';

/** Values of every type and of every extreme. */
const HOSTILE: readonly unknown[] = [
  undefined,
  null,
  true,
  7,
  -1,
  1.5,
  1e300,
  '',
  ' ',
  'x',
  '\u0000',
  'x'.repeat(5_000),
  '2026-05-04T09:30:00',
  '2026-02-30T09:30:00Z',
  [],
  ['x'],
  [7, 7],
  Array.from({ length: 1_001 }, () => 'x'),
  {},
  { x: 7 },
  { '': 'x' },
  { kind: 'x' },
  { kind: 'opentok', apiKey: 7 },
];

/** Words of zod, and types as programs name them. */
const LIBRARY_WORDS =
  /expected|received|invalid|undefined|\bstrings?\b|\bint\b|\bboolean\b|\barray\b|pattern|too (small|big)|[<>]=?|\|/i;
/** Every message completes a sentence that begins with the name of the field. */
const PREDICATE = /^(must|is|has|did) /;

interface Pipe {
  transform(value: unknown, metadata: never): unknown;
}

const issuesOf = (pipe: Pipe, value: unknown): readonly Issue[] => {
  try {
    pipe.transform(value, undefined as never);
    return [];
  } catch (error) {
    return (error as VerdictError).issues ?? [];
  }
};

const messagesOf = (pipe: Pipe, value: unknown): string[] => {
  try {
    pipe.transform(value, undefined as never);
    return [];
  } catch (error) {
    return (error as VerdictError).issues?.map(({ detail }) => detail) ?? [(error as VerdictError).message];
  }
};

/** The paths of the fields of an object schema, also of inner objects. */
function* fieldsOf(schema: z.ZodType, depth = 0): Generator<readonly string[]> {
  const inner =
    schema instanceof z.ZodOptional || schema instanceof z.ZodNullable || schema instanceof z.ZodDefault
      ? (schema.unwrap() as z.ZodType)
      : schema;
  if (inner !== schema) return yield* fieldsOf(inner, depth);
  if (inner instanceof z.ZodArray) for (const path of fieldsOf(inner.element as z.ZodType, depth)) yield ['0', ...path];
  if (!(inner instanceof z.ZodObject) || depth > 3) return;
  for (const [name, field] of Object.entries(inner.shape)) {
    yield [name];
    for (const path of fieldsOf(field as z.ZodType, depth + 1)) yield [name, ...path];
  }
}

type Wrap = (inner: unknown) => unknown;

/**
 * The required fields of a schema, each with a body in which only the field is missing from its
 * parent.
 * @param given fields that its parent has: the kind of a union
 * @param wrap puts the parent into the body
 */
function* requiredOf(
  schema: z.ZodType,
  path: readonly string[] = [],
  given: object = {},
  wrap: Wrap = (inner) => inner,
): Generator<RequiredField> {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable || schema instanceof z.ZodDefault)
    return yield* requiredOf(schema.unwrap() as z.ZodType, path, given, wrap);
  if (schema instanceof z.ZodArray)
    return yield* requiredOf(schema.element as z.ZodType, [...path, '0'], {}, (inner) => wrap([inner]));
  if (schema instanceof z.ZodDiscriminatedUnion) {
    const { discriminator } = schema.def;
    for (const option of schema.options as z.ZodObject[]) {
      yield { path: [...path, discriminator], given: wrap({}) };
      const [kind] = (option.shape[discriminator] as z.ZodLiteral).values;
      yield* requiredOf(option, path, { [discriminator]: kind }, wrap);
    }
  }
  if (!(schema instanceof z.ZodObject)) return;
  for (const [name, field] of Object.entries(schema.shape) as [string, z.ZodType][]) {
    if (!field.safeParse(undefined).success && !(name in given)) yield { path: [...path, name], given: wrap(given) };
    yield* requiredOf(field, [...path, name], {}, (inner) => wrap({ ...given, [name]: inner }));
  }
}

interface RequiredField {
  readonly path: readonly string[];
  /** The body without the field. */
  readonly given: unknown;
}

const nest = (path: readonly string[], value: unknown): unknown =>
  path.reduceRight<unknown>((inner, name) => (name === '0' ? [inner] : { [name]: inner }), value);

const inputs = OPERATIONS.flatMap(({ id, body: inBody, query: inQuery }) => [
  ...(inBody === undefined ? [] : [[`${id} body`, inBody, body(inBody)] as const]),
  ...(inQuery === undefined ? [] : [[`${id} query`, inQuery, query(inQuery)] as const]),
]);

describe('messages of invalid input', () => {
  it.each(inputs)('are written by us for every field: %s', (_name, schema, pipe) => {
    const messages = new Set<string>();
    for (const path of [...fieldsOf(schema), ['unknown']])
      for (const value of HOSTILE) for (const message of messagesOf(pipe, nest(path, value))) messages.add(message);
    expect(messages.size).toBeGreaterThan(0);
    const quoted = (message: string): string => message.replaceAll(/`[^`]*`|"[^"]*"/g, '');
    expect([...messages].filter((each) => LIBRARY_WORDS.test(quoted(each)) || !PREDICATE.test(each))).toEqual([]);
  });

  it.each(
    inputs.flatMap(([name, schema, pipe]) =>
      [...requiredOf(schema)].map(({ path, given }) => [`${name}: /${path.join('/')}`, pipe, path, given] as const),
    ),
  )('name a missing field as required: %s', (_name, pipe, path, given) =>
    expect(issuesOf(pipe, given)).toContainEqual({
      pointer: `/${path.join('/')}`,
      detail: 'is required',
    }),
  );

  it.each([
    ['sendDigits body', { digits: 7 }, 'must be text'],
    ['createRoom body', { name: 'X', metadata: { a: 7 } }, 'must be text'],
    ['createProviderAccount body', { video: { kind: 'x' } }, 'must be one of opentok, unified, janus'],
    ['createProviderAccount body', { video: 7 }, 'must be an object'],
  ])('name the type of a field: %s %j', (operation, value, message) => {
    const [, , pipe] = inputs.find(([name]) => name === operation)!;
    expect(messagesOf(pipe, value)).toContain(message);
  });

  it('name a missing field as required, and the type of another', () => {
    const [, , pipe] = inputs.find(([name]) => name === 'createRoom body')!;
    expect(messagesOf(pipe, {})).toEqual(['is required']);
    expect(messagesOf(pipe, { name: 7 })).toEqual(['must be text']);
    expect(messagesOf(pipe, { name: 'X', metadata: [] })).toEqual(['must be an object']);
  });
});

describe('a time in a request', () => {
  const [, , pipe] = inputs.find(([name]) => name === 'listRooms query')!;

  it.each(['Z', '+00:00', '-00:00', '+02:00', '-09:30', '+14:00'])('has any offset of RFC 3339: %s', (offset) => {
    expect(messagesOf(pipe, { createdAfter: `2026-05-04T09:30:00${offset}` })).toEqual([]);
  });

  it.each(['2026-05-04t09:30:00z', '2026-05-04t09:30:00Z', '2026-05-04T09:30:00z', '2026-05-04t09:30:00 00:00'])(
    'can have lower-case letters, as RFC 3339 allows: %s',
    (createdAfter) => {
      const { createdAfter: read } = pipe.transform({ createdAfter }, undefined as never) as { createdAfter: string };
      expect(read).toMatch(/^2026-05-04T09:30:00(Z|\+00:00)$/);
    },
  );

  it.each([
    ['0000-01-01T00:00:00Z', false],
    ['1970-01-01T00:59:59+01:00', false],
    ['1970-01-01T01:00:00+01:00', true],
    ['9999-12-31T23:59:59.999Z', true],
    ['9999-12-31T23:59:59-00:01', false],
  ])('is from 1970 to 9999 in UTC: %s: %s', (createdAfter, isAccepted) =>
    expect(messagesOf(pipe, { createdAfter })).toEqual(isAccepted ? [] : ['must be a time from 1970 to 9999, in UTC']),
  );

  it('can have a plus that its client did not encode in a query', () => {
    expect(pipe.transform({ createdAfter: '2026-05-04T09:30:00.5 02:00' }, undefined as never)).toMatchObject({
      createdAfter: '2026-05-04T09:30:00.5+02:00',
    });
  });

  it.each(['yesterday', '2026-05-04', '2026-05-04T09:30:00', '2026-05-04T09:30:00+0200', '2026-02-30T09:30:00Z'])(
    'is described with an example if it is not one: %s',
    (createdAfter) =>
      expect(messagesOf(pipe, { createdAfter })).toEqual([expect.stringContaining('RFC 3339, for example')]),
  );

  it('is described in the document as a date-time', () => {
    expect(openApi('0').components.schemas.CreateKey?.properties?.expiresAt).toMatchObject({
      anyOf: [{ type: 'string', format: 'date-time' }, { type: 'null' }],
    });
  });
});
