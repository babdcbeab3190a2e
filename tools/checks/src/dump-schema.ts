import pg from 'pg';

/*
 * Writes a database's schema as SQL that psql can load. pg_dump would do it, but no package that
 * npm can install carries one for the Postgres version that the tests run.
 */

const FOREIGN = `('_prisma_migrations', '_partyline_functions')`;

/** Each query returns statements in a fixed order; together they rebuild the schema. */
const PARTS: readonly { readonly title: string; readonly sql: string }[] = [
  {
    title: 'Roles',
    sql: `
      SELECT format(
        'DO $$ BEGIN CREATE ROLE %I NOLOGIN NOSUPERUSER NOBYPASSRLS; '
          'EXCEPTION WHEN duplicate_object THEN NULL; END $$;',
        rolname
      ) AS statement
      FROM pg_roles
      WHERE rolname IN ('partyline_tenant', 'partyline_platform')
      ORDER BY rolname`,
  },
  {
    title: 'Tables',
    sql: `
      SELECT format(
        E'CREATE TABLE %I (\\n%s\\n);',
        c.relname,
        string_agg(
          format(
            '  %I %s%s%s',
            a.attname,
            CASE WHEN q.sequence IS NULL THEN format_type(a.atttypid, a.atttypmod) ELSE 'bigserial' END,
            CASE
              WHEN a.attgenerated = 's' THEN format(' GENERATED ALWAYS AS (%s) STORED', pg_get_expr(d.adbin, d.adrelid))
              WHEN q.sequence IS NULL THEN ' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid)
            END,
            CASE WHEN a.attnotnull THEN ' NOT NULL' END
          ),
          E',\\n' ORDER BY a.attnum
        )
      ) AS statement
      FROM pg_class c
      JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
      LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
      CROSS JOIN LATERAL pg_get_serial_sequence(quote_ident(c.relname), a.attname) AS q (sequence)
      WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relname NOT IN ${FOREIGN}
      GROUP BY c.oid, c.relname
      ORDER BY c.relname`,
  },
  {
    title: 'Keys and checks',
    sql: `
      SELECT format(
        'ALTER TABLE %s ADD CONSTRAINT %I %s;', k.conrelid::regclass, k.conname, pg_get_constraintdef(k.oid)
      ) AS statement
      FROM pg_constraint k
      JOIN pg_class c ON c.oid = k.conrelid
      WHERE k.connamespace = 'public'::regnamespace
        AND k.contype IN ('p', 'u', 'c')
        AND c.relname NOT IN ${FOREIGN}
      ORDER BY c.relname, k.contype <> 'p', k.conname`,
  },
  {
    title: 'Indexes',
    sql: `
      SELECT pg_get_indexdef(i.indexrelid) || ';' AS statement
      FROM pg_index i
      JOIN pg_class c ON c.oid = i.indrelid
      WHERE c.relnamespace = 'public'::regnamespace
        AND c.relname NOT IN ${FOREIGN}
        AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u'))
      ORDER BY c.relname, i.indexrelid::regclass::text`,
  },
  {
    title: 'Foreign keys',
    sql: `
      SELECT format(
        'ALTER TABLE %s ADD CONSTRAINT %I %s;', k.conrelid::regclass, k.conname, pg_get_constraintdef(k.oid)
      ) AS statement
      FROM pg_constraint k
      WHERE k.connamespace = 'public'::regnamespace AND k.contype = 'f'
      ORDER BY k.conrelid::regclass::text, k.conname`,
  },
  {
    title: 'Functions',
    sql: `
      SELECT concat_ws(
        E'\\n',
        rtrim(pg_get_functiondef(p.oid), E'\\n') || ';',
        CASE WHEN o.rolname IN ('partyline_tenant', 'partyline_platform')
          THEN format('ALTER FUNCTION %s OWNER TO %I;', p.oid::regprocedure, o.rolname) END,
        CASE WHEN p.proacl IS NOT NULL AND NOT EXISTS (SELECT FROM aclexplode(p.proacl) AS g WHERE g.grantee = 0)
          THEN format('REVOKE ALL ON FUNCTION %s FROM PUBLIC;', p.oid::regprocedure) END,
        (
          SELECT string_agg(
            format('GRANT EXECUTE ON FUNCTION %s TO %s;', p.oid::regprocedure, g.grantee::regrole),
            E'\\n' ORDER BY g.grantee::regrole::text
          )
          FROM aclexplode(p.proacl) AS g
          WHERE g.grantee <> 0 AND g.grantee <> p.proowner
        )
      ) AS statement
      FROM pg_proc p
      JOIN pg_roles o ON o.oid = p.proowner
      WHERE p.pronamespace = 'public'::regnamespace
      ORDER BY p.proname`,
  },
  {
    title: 'Triggers',
    sql: `
      SELECT pg_get_triggerdef(t.oid) || ';' AS statement
      FROM pg_trigger t
      WHERE NOT t.tgisinternal
      ORDER BY t.tgrelid::regclass::text, t.tgname`,
  },
  {
    title: 'Row-level security',
    sql: `
      SELECT concat_ws(
        E'\\n',
        format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY;', c.relname),
        CASE WHEN c.relforcerowsecurity THEN format('ALTER TABLE %I FORCE ROW LEVEL SECURITY;', c.relname) END,
        (
          SELECT string_agg(
            format(
              'CREATE POLICY %I ON %I FOR %s TO %s%s%s;',
              p.policyname, p.tablename, p.cmd, array_to_string(p.roles, ', '),
              ' USING (' || p.qual || ')', ' WITH CHECK (' || p.with_check || ')'
            ),
            E'\\n' ORDER BY p.policyname
          )
          FROM pg_policies p
          WHERE p.schemaname = 'public' AND p.tablename = c.relname
        )
      ) AS statement
      FROM pg_class c
      WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relrowsecurity
      ORDER BY c.relname`,
  },
  {
    title: 'First rows',
    sql: `
      SELECT 'INSERT INTO platform_limit DEFAULT VALUES;' AS statement
      FROM platform_limit
      UNION ALL
      (
        SELECT format(
          'INSERT INTO platform_rate VALUES (%L, %L, %L, %s);', r.what, r.prefix, r.currency, r.micro_per_minute
        )
        FROM platform_rate r
        ORDER BY r.what, r.prefix, r.currency
      )`,
  },
  {
    title: 'Grants',
    sql: `
      SELECT format(
        'GRANT %s ON %s %s TO %s;',
        string_agg(g.privilege_type, ', ' ORDER BY g.privilege_type),
        CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.oid::regclass, g.grantee::regrole
      ) AS statement
      FROM pg_class c
      CROSS JOIN LATERAL aclexplode(c.relacl) AS g
      WHERE c.relnamespace = 'public'::regnamespace
        AND g.grantee <> 0
        AND g.grantee <> c.relowner
        AND c.relname NOT IN ${FOREIGN}
      GROUP BY c.oid, c.relname, c.relkind, g.grantee
      ORDER BY c.relname, g.grantee::regrole::text`,
  },
  {
    title: 'Grants of columns',
    sql: `
      SELECT format(
        'GRANT %s (%s) ON TABLE %s TO %s;',
        g.privilege_type,
        string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum),
        c.oid::regclass,
        g.grantee::regrole
      ) AS statement
      FROM pg_class c
      JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
      CROSS JOIN LATERAL aclexplode(a.attacl) AS g
      WHERE c.relnamespace = 'public'::regnamespace
        AND g.grantee <> 0
        AND g.grantee <> c.relowner
        AND c.relname NOT IN ${FOREIGN}
      GROUP BY c.oid, c.relname, g.privilege_type, g.grantee
      ORDER BY c.relname, g.grantee::regrole::text, g.privilege_type`,
  },
];

const HEADER = `-- The schema that a new database has: every migration and every function, applied.
-- Written by npm run schema. Do not edit: CI compares it with a new database.

-- Functions and tables refer to each other.
SET check_function_bodies = off;
`;

/**
 * The schema of the database at `url` as SQL, in a fixed order. Owners other than Partyline's roles
 * are left out.
 */
export async function dumpSchema(url: string): Promise<string> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const parts: string[] = [HEADER];
    for (const { title, sql } of PARTS) {
      const { rows } = await client.query<{ statement: string }>(sql);
      parts.push(`-- ${title}\n`, rows.map(({ statement }) => statement).join('\n'), '');
    }
    return parts.join('\n');
  } finally {
    await client.end();
  }
}
