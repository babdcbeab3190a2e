import { execFile } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { inWorkspace } from '@partyline/dev/workspace';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { folderDirection } from './lint/folder-direction.ts';

/*
 * Real files are written into the packages and linted with the repository's configuration, all in
 * one run of the linter (two seconds each). They lie beside `src`, where no build includes them, in
 * a folder that .gitignore lists, so a test run that is killed leaves nothing that could be
 * committed.
 */

const importing = (target: string): string => `import * as imported from '${target}';\nexport const used = imported;\n`;

const forbiddenImports = [
  ['libs/domain', '@partyline/store/database/store'],
  ['libs/contracts', '@partyline/store/database/store'],
  ['libs/providers/contract', '@partyline/store/database/store'],
  ['libs/providers/vonage', '@partyline/conference/sessions/end-session'],
  ['libs/store', '@partyline/provider-contract/provider-error'],
  ['libs/store', '@partyline/testing/postgres'],
  ['libs/store', '../../domain/src/clock.ts'],
  ['libs/jobs', '@partyline/store/database/store'],
  ['libs/conference', '@partyline/provider-vonage/voice/vonage-voice'],
  ['libs/conference', '@partyline/provider-registry/registry'],
  ['libs/runtime', '@partyline/store/database/store'],
  ['libs/janus', '@partyline/runtime/config'],
  ['apps/room-api', '@partyline/provider-registry/registry'],
  ['apps/room-api', '@partyline/provider-vonage/voice/vonage-voice'],
  ['apps/room-api', '@partyline/testing/postgres'],
  ['apps/room-api', '@partyline/dev/stack/stack'],
].map(([folder, target], index) => ({ folder, target, file: `${folder}/lint-fixture/import-${index}.ts` }));

const allowedImports = [
  ['libs/contracts/lint-fixture/ok.ts', '@partyline/domain/reasons'],
  ['libs/store/lint-fixture/ok.ts', '@partyline/domain/clock'],
  ['libs/conference/lint-fixture/ok.ts', '@partyline/provider-contract/provider-error'],
  ['libs/store/lint-fixture/ok.test.ts', '@partyline/testing/postgres'],
  ['apps/room-api/lint-fixture/ok.ts', '@partyline/conference/sessions/end-session'],
].map(([file = '', target = '']) => ({ file, target }));

/** Importing file and target, below the `src` of a package. */
const FOLDER_IMPORTS = {
  forbidden: [
    ['conference', 'sessions/upward.ts', '../legs/dial-out.ts'],
    ['conference', 'legs/upward.ts', '../hang-ups/hang-up-leg.ts'],
    ['conference', 'limits/level.ts', '../pins/add-pin.ts'],
    ['conference', 'providers/type.ts', '../provider-rpc/handlers.ts'],
    ['conference', 'root.ts', './sessions/end-session.ts'],
    ['conference', 'rooms/test-helper.ts', '../testing/meeting.ts'],
    ['conference', 'rooms/unlisted.ts', '../unknown/file.ts'],
    ['store', 'database/upward.ts', '../rooms/rooms.ts'],
    ['store', 'limits/level.ts', '../keys/keys.ts'],
  ],
  allowed: [
    ['conference', 'hang-ups/downward.ts', '../legs/apply-leg-event.ts'],
    ['conference', 'legs/downward.ts', '../sessions/change-session.ts'],
    ['conference', 'legs/same-folder.ts', './dial-out.ts'],
    ['conference', 'rooms/root.ts', '../errors.ts'],
    ['conference', 'rooms/upward.test.ts', '../reconciliation/reconcile.ts'],
    ['conference', 'testing/any.ts', '../reconciliation/reconcile.ts'],
    ['store', 'rooms/downward.ts', '../database/store.ts'],
  ],
};
const folderFixtures = (cases: string[][]) =>
  cases.map(([lib = '', path = '', target = '']) => ({ target, file: `libs/${lib}/lint-fixture/src/${path}` }));
const forbiddenFolders = folderFixtures(FOLDER_IMPORTS.forbidden);
const allowedFolders = folderFixtures(FOLDER_IMPORTS.allowed);
const importForms = [
  "import { a } from '../legs/dial-out.ts';",
  "import type { a } from '../legs/dial-out.ts';",
  "export { a } from '../legs/dial-out.ts';",
  "export * from '../legs/dial-out.ts';",
  "export const a = await import('../legs/dial-out.ts');",
  "export type A = import('../legs/dial-out.ts').A;",
].map((statement, index) => ({ statement, file: `libs/conference/lint-fixture/src/sessions/form-${index}.ts` }));
const unlistedFolder = 'libs/conference/lint-fixture/src/unlisted/file.ts';

const ambientReads = [
  'Date.now()',
  'new Date()',
  'Math.random()',
  'setTimeout(() => undefined, 1)',
  'setInterval(() => undefined, 1)',
  'globalThis.setTimeout(() => undefined, 1)',
  "Date['now']()",
].map((expression, index) => ({ expression, file: `libs/domain/lint-fixture/ambient-${index}.ts` }));
const allAmbientReads = ambientReads
  .map(({ expression }, index) => `export const v${index} = ${expression};`)
  .join('\n');

const sloppy = 'libs/domain/lint-fixture/sloppy.ts';
const fixedDate = 'libs/domain/lint-fixture/fixed-date.ts';
const ambientForbidden = ['conference', 'store', 'jobs', 'providers/vonage'].map(
  (lib) => `libs/${lib}/lint-fixture/ambient.ts`,
);
const ambientAllowed = ['libs/runtime/lint-fixture/ambient.ts', 'libs/domain/lint-fixture/ambient.test.ts'];

const fixtures = new Map<string, string>([
  ...[...forbiddenImports, ...allowedImports, ...forbiddenFolders, ...allowedFolders].map(
    ({ file, target = '' }): [string, string] => [file, importing(target)],
  ),
  ...ambientReads.map(({ file, expression }): [string, string] => [file, `export const value = ${expression};\n`]),
  ...[...ambientForbidden, ...ambientAllowed].map((file): [string, string] => [file, allAmbientReads]),
  [sloppy, "import { join } from 'node:path';\nexport function go(): void {\n  Promise.resolve(1);\n}\n"],
  ...importForms.map(({ file, statement }): [string, string] => [file, `${statement}\n`]),
  [unlistedFolder, 'export const value = 1;\n'],
  [fixedDate, 'export const epoch = new Date(0);\n'],
]);

interface Finding {
  filename: string;
  code: string;
  message: string;
}

/** Runs the linter on fixture files with the arguments of a package's lint target. */
function lint(files: string[], env: NodeJS.ProcessEnv = {}): Promise<{ code: number; output: string }> {
  const args = [
    '--config',
    inWorkspace('.oxlintrc.json'),
    '--format',
    'json',
    ...files.map((file) => inWorkspace(file)),
  ];
  return new Promise((resolve) => {
    const options = { cwd: inWorkspace(), env: { ...process.env, ...env }, maxBuffer: 1 << 24 };
    execFile(inWorkspace('node_modules/.bin/oxlint'), args, options, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code ?? 1) : 0, output: stdout + stderr });
    });
  });
}

let exitCode: number;
let findings: Finding[];
const rulesBrokenBy = (file: string): string[] =>
  findings.filter(({ filename }) => filename.endsWith(file)).map(({ code }) => code.replace(/^.*\((.*)\)$/, '$1'));

beforeAll(async () => {
  for (const [file, source] of fixtures) {
    mkdirSync(dirname(inWorkspace(file)), { recursive: true });
    writeFileSync(inWorkspace(file), source);
  }
  const { code, output } = await lint([...fixtures.keys()]);
  exitCode = code;
  findings = (JSON.parse(output) as { diagnostics: Finding[] }).diagnostics;
});

afterAll(() => {
  for (const file of fixtures.keys())
    rmSync(inWorkspace(file.replace(/\/lint-fixture\/.*$/, '/lint-fixture')), { recursive: true, force: true });
});

test('the linter exits with an error', () => {
  expect(exitCode).not.toBe(0);
});

describe('imports between packages', () => {
  test.each(forbiddenImports)('reports $target in $folder', ({ file }) => {
    expect(rulesBrokenBy(file)).toContain('enforce-module-boundaries');
  });

  test.each(allowedImports)('accepts $target in $file', ({ file }) => {
    expect(rulesBrokenBy(file)).toEqual([]);
  });
});

describe('imports between folders', () => {
  test.each(forbiddenFolders)('reports $target in $file', ({ file }) => {
    expect(rulesBrokenBy(file)).toContain('folder-direction');
  });

  test.each(allowedFolders)('accepts $target in $file', ({ file }) => {
    expect(rulesBrokenBy(file)).not.toContain('folder-direction');
  });

  test('reports a file in a folder without a level', () => {
    expect(rulesBrokenBy(unlistedFolder)).toContain('folder-direction');
  });

  test.each(importForms)('reports $statement', ({ file }) => {
    expect(rulesBrokenBy(file)).toContain('folder-direction');
  });

  test('accepts a listed exception', () => {
    expect(folderReports(['low/a.ts -> high/b.ts'])).toEqual([]);
  });

  test('reports an exception that is not needed', () => {
    expect(folderReports(['low/a.ts -> high/b.ts', 'low/a.ts -> high/c.ts'])).toEqual([
      "Unused exception 'low/a.ts -> high/c.ts': remove it from .oxlintrc.json.",
    ]);
  });
});

/** The messages of the rule for a file `low/a.ts` that imports `high/b.ts`. */
function folderReports(exceptions: string[]): string[] {
  const messages: string[] = [];
  const visitors = folderDirection.create({
    filename: '/repo/libs/x/src/low/a.ts',
    options: [{ levels: [['low'], ['high']], testing: 'testing', exceptions }],
    report: ({ message }) => messages.push(message),
  });
  visitors.ImportDeclaration?.({ source: { type: 'Literal', value: '../high/b.ts' } });
  visitors['Program:exit']?.({});
  return messages;
}

describe('ambient time, randomness and timers', () => {
  test.each(ambientReads)('reports $expression in libs/domain', ({ file }) => {
    expect(rulesBrokenBy(file)).toContain('no-ambient-inputs');
  });

  test.each(ambientForbidden)('reports every expression in %s', (file) => {
    expect(rulesBrokenBy(file).filter((rule) => rule === 'no-ambient-inputs')).toHaveLength(ambientReads.length);
  });

  test.each(ambientAllowed)('accepts every expression in %s', (file) => {
    expect(rulesBrokenBy(file)).not.toContain('no-ambient-inputs');
  });

  test('accepts a Date with an argument', () => {
    expect(rulesBrokenBy(fixedDate)).toEqual([]);
  });
});

test('reports an unused import and a floating promise', () => {
  expect(rulesBrokenBy(sloppy)).toEqual(expect.arrayContaining(['no-unused-vars', 'no-floating-promises']));
});

test('the linter fails when no project graph exists', async () => {
  const { code, output } = await lint([forbiddenImports[0]?.file ?? ''], {
    NX_WORKSPACE_DATA_DIRECTORY: inWorkspace('.partyline/no-graph'),
  });
  expect(output).toContain('No Nx project graph exists');
  expect(code).not.toBe(0);
});
