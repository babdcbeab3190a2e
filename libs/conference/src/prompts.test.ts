import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { getPrompt, PROMPTS, type PromptName } from './prompts.ts';

const page = await readFile(new URL('../../../docs/callers.md', import.meta.url), 'utf8');

describe('what callers hear', () => {
  it.each(Object.entries(PROMPTS))('is said in full in %s', (_language, phrases) => {
    expect(Object.keys(phrases).toSorted()).toEqual(Object.keys(PROMPTS.en).toSorted());
    for (const text of Object.values(phrases)) expect(text.trim()).not.toBe('');
  });

  it.each(Object.keys(PROMPTS.en) as PromptName[])('stands on the page for callers: %s', (which) => {
    expect(page).toContain(getPrompt('en-US', which));
  });

  it('is English where a language is not spoken', () => {
    expect([getPrompt('pt-BR', 'over'), getPrompt('de', 'over')]).toEqual([PROMPTS.en.over, PROMPTS.de.over]);
  });
});
