import { readFile } from 'node:fs/promises';
import { legMachine } from '@partyline/domain/leg';
import { sessionMachine } from '@partyline/domain/session';
import { inWorkspace } from '@partyline/dev/workspace';
import { expect, test } from 'vitest';
import { STATES_PAGE, statesPage } from './state-diagrams.ts';

test('docs/states.md says what the tables say (state-diagrams.ts --write makes it anew)', async () => {
  expect(await readFile(inWorkspace(STATES_PAGE), 'utf8')).toBe(await statesPage());
});

test.each([sessionMachine, legMachine])('the page draws every state of the $name machine', async ({ table }) => {
  const page = await statesPage();
  for (const state of Object.keys(table)) expect(page).toMatch(new RegExp(`--> ${state}\\b`));
});
