import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { phrase, PHRASES, type Phrase } from './prompts.ts';

const page = await readFile(new URL('../../../docs/callers.md', import.meta.url), 'utf8');

describe('what callers hear', () => {
  it.each(Object.entries(PHRASES))('is said in full in %s', (_language, phrases) => {
    expect(Object.keys(phrases).toSorted()).toEqual(Object.keys(PHRASES.en).toSorted());
    for (const text of Object.values(phrases)) expect(text.trim()).not.toBe('');
  });

  it.each(Object.keys(PHRASES.en) as Phrase[])('stands on the page for callers: %s', (which) => {
    expect(page).toContain(phrase('en-US', which));
  });

  it('is English where a language is not spoken', () => {
    expect([phrase('pt-BR', 'over'), phrase('de', 'over')]).toEqual([PHRASES.en.over, PHRASES.de.over]);
  });
});
