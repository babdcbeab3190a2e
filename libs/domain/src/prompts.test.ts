import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { getPrompt, PROMPTS, type PromptName } from './prompts.ts';

const page = (await readFile(new URL('../../../docs/callers.md', import.meta.url), 'utf8')).replace(/\s+/g, ' ');

describe('PROMPTS', () => {
  it.each(Object.entries(PROMPTS))('has every prompt in %s', (_language, prompts) => {
    expect(Object.keys(prompts).toSorted()).toEqual(Object.keys(PROMPTS.en).toSorted());
    for (const text of Object.values(prompts)) expect(text.trim()).not.toBe('');
  });

  it.each(Object.keys(PROMPTS.en) as PromptName[])('is listed in docs/callers.md: %s', (name) => {
    expect(page).toContain(getPrompt('en-US', name));
  });
});

describe('getPrompt', () => {
  it('falls back to English for a language without prompts', () => {
    expect([getPrompt('pt-BR', 'over'), getPrompt('de', 'over')]).toEqual([PROMPTS.en.over, PROMPTS.de.over]);
  });
});
