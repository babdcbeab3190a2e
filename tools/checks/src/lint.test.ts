import { execFile } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { inWorkspace } from '@partyline/dev/workspace';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

/*
 * Proves that lint fails where it must. Real files are written into the packages and linted with the repository's own configuration, all in
 * one run (each run of the linter costs two seconds). They lie beside `src`, where no build picks them up, in a folder that .gitignore names:
 * should this be killed half way, none reaches a commit.
 */

const importing = (target: string): string => `import * as imported from '${target}';\nexport const used = imported;\n`;

const refusedImports = [
  ['libs/domain', '@partyline/store/database/store'],
  ['libs/contracts', '@partyline/domain/clock'],
  ['libs/providers/contract', '@partyline/store/database/store'],
  ['libs/providers/vonage', '@partyline/conference/sessions/end-session'],
  ['libs/store', '@partyline/provider-contract/provider-error'],
  ['libs/store', '@partyline/testing/postgres'],
  ['libs/store', '../../domain/src/clock.ts'],
  ['libs/jobs', '@partyline/store/database/store'],
  ['libs/conference', '@partyline/provider-vonage/voice/voice'],
  ['libs/conference', '@partyline/provider-registry/registry'],
  ['libs/runtime', '@partyline/store/database/store'],
  ['apps/room-api', '@partyline/provider-registry/registry'],
  ['apps/room-api', '@partyline/provider-vonage/voice/voice'],
  ['apps/room-api', '@partyline/testing/postgres'],
  ['apps/room-api', '@partyline/dev/stack/stack'],
].map(([folder, target], index) => ({ folder, target, file: `${folder}/lint-fixture/import-${index}.ts` }));

const acceptedImports = [
  ['libs/store/lint-fixture/ok.ts', '@partyline/domain/clock'],
  ['libs/conference/lint-fixture/ok.ts', '@partyline/provider-contract/provider-error'],
  ['libs/store/lint-fixture/ok.test.ts', '@partyline/testing/postgres'],
  ['apps/room-api/lint-fixture/ok.ts', '@partyline/conference/sessions/end-session'],
].map(([file = '', target = '']) => ({ file, target }));

const ambient = [
  'Date.now()',
  'new Date()',
  'Math.random()',
  'setTimeout(() => undefined, 1)',
  'setInterval(() => undefined, 1)',
  'globalThis.setTimeout(() => undefined, 1)',
  "Date['now']()",
].map((expression, index) => ({ expression, file: `libs/domain/lint-fixture/ambient-${index}.ts` }));
const allAmbient = ambient.map(({ expression }, index) => `export const v${index} = ${expression};`).join('\n');

const sloppy = 'libs/domain/lint-fixture/sloppy.ts';
const aMoment = 'libs/domain/lint-fixture/moment.ts';
const ambientRefused = ['conference', 'store', 'jobs', 'providers/vonage'].map(
  (lib) => `libs/${lib}/lint-fixture/ambient.ts`,
);
const ambientAccepted = ['libs/runtime/lint-fixture/ambient.ts', 'libs/domain/lint-fixture/ambient.test.ts'];

const fixtures = new Map<string, string>([
  ...[...refusedImports, ...acceptedImports].map(({ file, target = '' }): [string, string] => [
    file,
    importing(target),
  ]),
  ...ambient.map(({ file, expression }): [string, string] => [file, `export const value = ${expression};\n`]),
  ...[...ambientRefused, ...ambientAccepted].map((file): [string, string] => [file, allAmbient]),
  [sloppy, "import { join } from 'node:path';\nexport function go(): void {\n  Promise.resolve(1);\n}\n"],
  [aMoment, 'export const epoch = new Date(0);\n'],
]);

interface Finding {
  filename: string;
  code: string;
  message: string;
}

/** Runs the linter on fixture files as a package's own lint target does. */
function lint(files: string[], env: NodeJS.ProcessEnv = {}): Promise<{ code: number; said: string }> {
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
      resolve({ code: error ? Number(error.code ?? 1) : 0, said: stdout + stderr });
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
  const { code, said } = await lint([...fixtures.keys()]);
  exitCode = code;
  findings = (JSON.parse(said) as { diagnostics: Finding[] }).diagnostics;
});

afterAll(() => {
  for (const file of fixtures.keys()) rmSync(dirname(inWorkspace(file)), { recursive: true, force: true });
});

test('lint fails', () => {
  expect(exitCode).not.toBe(0);
});

describe('imports', () => {
  test.each(refusedImports)('$folder may not import $target', ({ file }) => {
    expect(rulesBrokenBy(file)).toContain('enforce-module-boundaries');
  });

  test.each(acceptedImports)('$file may import $target', ({ file }) => {
    expect(rulesBrokenBy(file)).toEqual([]);
  });
});

describe('time, chance and timers', () => {
  test.each(ambient)('$expression is refused in the domain', ({ file }) => {
    expect(rulesBrokenBy(file)).toContain('no-ambient-inputs');
  });

  test.each(ambientRefused)('all are refused in %s', (file) => {
    expect(rulesBrokenBy(file).filter((rule) => rule === 'no-ambient-inputs')).toHaveLength(ambient.length);
  });

  test.each(ambientAccepted)('all are accepted in %s', (file) => {
    expect(rulesBrokenBy(file)).not.toContain('no-ambient-inputs');
  });

  test('a Date of a given moment is accepted', () => {
    expect(rulesBrokenBy(aMoment)).toEqual([]);
  });
});

test('an unused import and a floating promise are refused', () => {
  expect(rulesBrokenBy(sloppy)).toEqual(expect.arrayContaining(['no-unused-vars', 'no-floating-promises']));
});

test('without a project graph lint fails instead of passing every import', async () => {
  const { code, said } = await lint([refusedImports[0]?.file ?? ''], {
    NX_WORKSPACE_DATA_DIRECTORY: inWorkspace('.partyline/no-graph'),
  });
  expect(said).toContain('No Nx project graph yet');
  expect(code).not.toBe(0);
});
