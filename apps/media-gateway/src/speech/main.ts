import { resolve } from 'node:path';
import { readConfig } from '@partyline/runtime/config';
import { systemTimers, systemYield } from '@partyline/runtime/system';
import { openSpeaker } from './open-speaker.ts';
import { PROMPT_LANGUAGES, renderPrompts } from './render-prompts.ts';

// Speaks the prompts into a folder: `npm run --silent prompts -w @partyline/media-gateway -- FOLDER [LANGUAGE...]`.
const [folder, ...languages] = process.argv.slice(2);
if (folder === undefined) {
  console.error('Usage: prompts FOLDER [LANGUAGE...]');
  process.exit(2);
}
const { speech } = readConfig(process.env, ['speech']);
// npm changes the working directory.
const cache = resolve(process.env['INIT_CWD'] ?? '.', folder);
const speaker = openSpeaker(
  { ...speech, SPEECH_CACHE: cache },
  { timers: systemTimers, yieldToCalls: systemYield, onFailure: (error) => console.error(String(error)) },
);
const rendered = await renderPrompts(speaker, languages.length === 0 ? PROMPT_LANGUAGES : languages);
console.log(`${rendered} prompts are in ${cache}`);
