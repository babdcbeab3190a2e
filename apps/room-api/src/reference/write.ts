import { readFile, writeFile } from 'node:fs/promises';
import { openApi } from '@partyline/contracts/openapi';
import { VERSION } from '../version.ts';
import { insertReasonList } from './reason-list.ts';

/**
 * Writes docs/openapi.json and the list of reasons in docs/api.md: `npm run openapi -w
 * apps/room-api`. Tests fail if either differs from the code.
 */
const docs = new URL('../../../../docs/', import.meta.url);
await writeFile(new URL('openapi.json', docs), `${JSON.stringify(openApi(VERSION), null, 2)}\n`);
const apiPage = new URL('api.md', docs);
await writeFile(apiPage, insertReasonList(await readFile(apiPage, 'utf8')));
