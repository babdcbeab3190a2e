import { readFile } from 'node:fs/promises';
import { legMachine } from '@partyline/domain/leg';
import { sessionMachine } from '@partyline/domain/session';
import { inWorkspace } from '@partyline/dev/workspace';
import { expect, test } from 'vitest';
import { STATES_PAGE, renderStatesPage } from './state-diagrams.ts';

test('docs/states.md matches the tables (if not: run state-diagrams.ts --write)', async () => {
  expect(await readFile(inWorkspace(STATES_PAGE), 'utf8')).toBe(await renderStatesPage());
});

test.each([sessionMachine, legMachine])('the page shows every state of the $name machine', async ({ table }) => {
  const page = await renderStatesPage();
  for (const state of Object.keys(table)) expect(page).toMatch(new RegExp(`--> ${state}\\b`));
});
