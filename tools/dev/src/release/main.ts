import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import { inWorkspace, stateFolder } from '../workspace.ts';
import { packAll } from './pack.ts';
import { imageCommands } from './packages.ts';
import { findVersionProblems, readVersion, setVersion } from './version.ts';

const HELP = `npm run release -- [--dry-run] [--out FOLDER] [--set-version X.Y.Z]

Packs the SDK, the emulator and the command line, publishes them with the npm account of this machine, and prints the
commands that build the images with the same version. It builds no image.

  --dry-run              only pack and show what would be published
  --out FOLDER           where the tarballs go (default .partyline/release)
  --set-version X.Y.Z    write a new version to every file that has it, and stop; describe it in CHANGELOG.md`;

const { values } = parseArgs({
  options: {
    'dry-run': { type: 'boolean', default: false },
    out: { type: 'string' },
    'set-version': { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
if (values.help) {
  console.log(HELP);
  process.exit(0);
}
if (values['set-version'] !== undefined) {
  const changed = setVersion(values['set-version']);
  console.log(`${changed.length} files have the version ${values['set-version']}. Next:`);
  console.log('  npm install --package-lock-only && npm run openapi -w apps/room-api && npm run generate');
  process.exit(0);
}

const version = readVersion();
const problems = findVersionProblems();
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exit(1);

const tarballs = await packAll(values.out ?? stateFolder('release'));
console.log(`Partyline ${version}\n`);
for (const { name, file, bytes, unpackedBytes, files } of tarballs) {
  console.log(
    `  ${`${name}@${version}`.padEnd(36)} ${toMegabytes(bytes)} packed, ${toMegabytes(unpackedBytes)}, ${files} files`,
  );
  console.log(`  ${''.padEnd(36)} ${file}`);
}
console.log('');
for (const command of imageCommands(version)) console.log(`  ${command}`);
console.log(`\nCHANGELOG.md:\n\n${sectionOf(version)}\n`);

if (values['dry-run']) console.log('Dry run: nothing was published.');
else for (const { file } of tarballs) await execa('npm', ['publish', '--access', 'public', file], { stdio: 'inherit' });

function toMegabytes(bytes: number): string {
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}

/** The part of CHANGELOG.md about a version. */
function sectionOf(wanted: string): string {
  const sections = readFileSync(inWorkspace('CHANGELOG.md'), 'utf8').split(/^(?=## )/m);
  return sections.find((section) => section.startsWith(`## ${wanted}`))?.trim() ?? '';
}
