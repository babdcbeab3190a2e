import { expect, test } from 'vitest';
import { compare } from './drift.ts';
import { schemaDiff } from './schema-engine.ts';

const schemaOf = (fields: string): string =>
  `datasource db {\n  provider = "postgresql"\n}\nmodel thing {\n  id String @id\n${fields}\n}\n`;

test('a schema that did not change needs no migration, one that did gets its SQL', async () => {
  const before = schemaOf('');
  expect(await schemaDiff(before, before)).toBe('');
  expect(await schemaDiff(before, schemaOf('  added Int?'))).toContain('ADD COLUMN     "added" INTEGER');
  expect(await schemaDiff(undefined, before)).toContain('CREATE TABLE "thing"');
});

test('each kind of drift is reported, with what to do', () => {
  const migrated = new Map([
    ['column thing.id', 'text not null'],
    ['column thing.left_behind', 'text null'],
    ['column thing.size', 'int4 null'],
    ['index partial', 'CREATE INDEX …'],
  ]);
  const schema = new Map([
    ['column thing.id', 'text not null'],
    ['column thing.forgotten', 'text null'],
    ['column thing.size', 'int8 null'],
  ]);
  const differences = compare(migrated, schema, ['index partial', 'function gone']);
  expect(differences.map((line) => line.split(':')[0])).toEqual([
    'column thing.forgotten',
    'column thing.left_behind',
    'column thing.size',
    'function gone',
  ]);
  expect(compare(schema, schema, [])).toEqual([]);
});
