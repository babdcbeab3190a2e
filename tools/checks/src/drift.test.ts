import { expect, test } from 'vitest';
import { compareCatalogues, compareDumps } from './drift.ts';
import { schemaDiff } from './schema-engine.ts';

const schemaOf = (fields: string): string =>
  `datasource db {\n  provider = "postgresql"\n}\nmodel thing {\n  id String @id\n${fields}\n}\n`;

test('schemaDiff writes SQL for a changed schema and nothing for an unchanged one', async () => {
  const before = schemaOf('');
  expect(await schemaDiff(before, before)).toBe('');
  expect(await schemaDiff(before, schemaOf('  added Int?'))).toContain('ADD COLUMN     "added" INTEGER');
  expect(await schemaDiff(undefined, before)).toContain('CREATE TABLE "thing"');
});

test('reports each kind of drift between migrations and schema.prisma', () => {
  const migrated = new Map([
    ['column thing.id', 'text not null'],
    ['column thing.left_behind', 'text null'],
    ['column thing.size', 'int4 null'],
    ['index partial', 'CREATE INDEX partial'],
  ]);
  const schema = new Map([
    ['column thing.id', 'text not null'],
    ['column thing.forgotten', 'text null'],
    ['column thing.size', 'int8 null'],
  ]);
  const differences = compareCatalogues(migrated, schema, ['index partial', 'trigger gone']);
  expect(differences.map((line) => line.split(':')[0])).toEqual([
    'column thing.forgotten',
    'column thing.left_behind',
    'column thing.size',
    'trigger gone',
  ]);
  expect(compareCatalogues(schema, schema, [])).toEqual([]);
});

test('reports the first line in which a new database differs from the committed dump', () => {
  expect(compareDumps('a\nb\n', 'a\nb\n')).toEqual([]);
  expect(compareDumps('a\nb\n', 'a\nc\n')).toEqual([
    expect.stringContaining('prisma/schema.sql:2: has "b", a new database has "c"'),
  ]);
  expect(compareDumps('a', 'a\nb')).toEqual([expect.stringContaining('prisma/schema.sql:2')]);
});
