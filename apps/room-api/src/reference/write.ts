import { writeFile } from 'node:fs/promises';
import { openApi } from '@partyline/contracts/openapi';
import { VERSION } from '../version.ts';

/** Writes docs/openapi.json, which a test holds to the schemas: `npm run openapi -w apps/room-api`. */
await writeFile(
  new URL('../../../../docs/openapi.json', import.meta.url),
  `${JSON.stringify(openApi(VERSION), null, 2)}\n`,
);
