import pg from 'pg';

/** The objects of a database's public schema except its functions: name and definition. */
export type Catalogue = Map<string, string>;

const QUERY = `
SELECT 'column ' || table_name || '.' || column_name AS name,
       concat_ws(' ', udt_name, character_maximum_length, numeric_precision, datetime_precision,
                 CASE is_nullable WHEN 'YES' THEN 'null' ELSE 'not null' END,
                 'default ' || column_default) AS definition
  FROM information_schema.columns
 WHERE table_schema = 'public' AND table_name NOT IN ('_prisma_migrations', '_partyline_functions')
UNION ALL
-- Apart from the column, because Prisma can express the column only.
SELECT 'generated ' || table_name || '.' || column_name, generation_expression
  FROM information_schema.columns
 WHERE table_schema = 'public' AND is_generated = 'ALWAYS'
UNION ALL
SELECT 'index ' || indexname, indexdef
  FROM pg_indexes WHERE schemaname = 'public' AND tablename NOT IN ('_prisma_migrations', '_partyline_functions')
UNION ALL
-- The columns include the not-null constraints ('n', Postgres 18).
SELECT 'constraint ' || conrelid::regclass || '.' || conname, pg_get_constraintdef(oid)
  FROM pg_constraint
 WHERE connamespace = 'public'::regnamespace AND conrelid <> 0 AND contype <> 'n'
   AND conrelid IS DISTINCT FROM to_regclass('_prisma_migrations')
   AND conrelid IS DISTINCT FROM to_regclass('_partyline_functions')
UNION ALL
SELECT 'enum ' || typname, string_agg(enumlabel, ',' ORDER BY enumsortorder)
  FROM pg_type JOIN pg_enum ON enumtypid = pg_type.oid WHERE typnamespace = 'public'::regnamespace GROUP BY typname
UNION ALL
SELECT 'trigger ' || tgrelid::regclass || '.' || tgname, pg_get_triggerdef(oid)
  FROM pg_trigger WHERE NOT tgisinternal
UNION ALL
SELECT 'policy ' || tablename || '.' || policyname, concat_ws(' ', cmd, roles::text, qual, with_check)
  -- isolation.test.ts of libs/store checks the two policies of every tenant table.
  FROM pg_policies WHERE schemaname = 'public' AND policyname NOT IN ('tenant_rows', 'every_row')
UNION ALL
SELECT 'view ' || viewname, definition FROM pg_views WHERE schemaname = 'public'`;

/** Reads the catalogue of the database at `url`. */
export async function readCatalogue(url: string): Promise<Catalogue> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ name: string; definition: string }>(QUERY);
    return new Map(rows.map(({ name, definition }) => [name, definition]));
  } finally {
    await client.end();
  }
}
