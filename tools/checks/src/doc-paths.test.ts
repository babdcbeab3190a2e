import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { inWorkspace } from '@partyline/dev/workspace';
import { expect, test } from 'vitest';

const pages = globSync(['README.md', 'docs/*.md', 'tools/*/README.md'], { cwd: inWorkspace() });

/** Paths of this repository in backticks, and targets of relative links. */
function mentionedPaths(page: string, text: string): string[] {
  const inCode = [...text.matchAll(/`((?:apps|libs|prisma|tools|deploy|docs)\/[^`\s]*)`/g)].map(
    ([, path = '']) => path,
  );
  const linked = [...text.matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)].map(([, target = '']) =>
    relative('.', join(dirname(page), target)),
  );
  return [...inCode, ...linked];
}

const exists = (path: string): boolean =>
  /[*<]/.test(path)
    ? globSync(path.replaceAll(/<[^>]+>/g, '*'), { cwd: inWorkspace() }).length > 0
    : existsSync(inWorkspace(path));

test.each(pages)('%s mentions only files that exist', (page) => {
  const paths = mentionedPaths(page, readFileSync(inWorkspace(page), 'utf8'));
  expect(paths.filter((path) => !exists(path))).toEqual([]);
});
