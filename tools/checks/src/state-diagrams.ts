import { readFile, writeFile } from 'node:fs/promises';
import { legMachine } from '@partyline/domain/leg';
import { toMermaid } from '@partyline/domain/machine';
import { sessionMachine } from '@partyline/domain/session';
import { inWorkspace } from '@partyline/dev/workspace';
import { format, resolveConfig } from 'prettier';

export const STATES_PAGE = 'docs/states.md';

const HEADER = `# States of a session and of a leg

<!-- Generated from the tables in libs/domain. Do not edit. Run:
node --conditions=@partyline/source tools/checks/src/state-diagrams.ts --write -->

A **session** is one meeting in a room. A **leg** is one billable connection of a session:

| kind | connection |
| --- | --- |
| \`webrtc\` | a browser |
| \`inbound\` | a caller |
| \`outbound\` | a phone that Partyline dialled |
| \`bridge\` | the call that joins the video session to the voice conference |

Two states have similar names:

- \`ending\`: the end is decided and the hang-up is requested. The provider may still charge for the leg.
- \`ended\`: the hang-up is confirmed. Only a stored observation with a final status, from a signed webhook or from a
  look-up, ends a leg. An accepted hang-up or a "not found" does not. A session is \`ended\` when all its legs are.

Webhooks arrive late, duplicated and out of order, so a state ignores every event that it does not list. No event leads
out of \`ended\`.
`;

const SESSION = `## Session

A session starts \`open\` and empty. It becomes \`live\` with the first browser or caller. Every end goes through the
same function, and the first reason is kept. A session that is \`ending\` or \`ended\` accepts no participants.
`;

const LEG = `## Leg

| state | meaning |
| --- | --- |
| \`requested\` | The row is stored. The provider is not asked yet. |
| \`dialling\` | The provider is asked. Without a response, the leg waits for an observation and is not dialled again. |
| \`ending\` | The hang-up is requested. A leg that is answered now stays here, and the hang-up is attempted again. |

A bridge leg has two handles, a video connection and a call. It is \`ended\` when both are closed.
`;

const toMermaidBlock = (text: string): string => `\`\`\`mermaid\n${text}\n\`\`\`\n`;

/** Renders the page from the state tables. */
export async function renderStatesPage(): Promise<string> {
  const page = [
    HEADER,
    SESSION,
    toMermaidBlock(toMermaid(sessionMachine)),
    LEG,
    toMermaidBlock(toMermaid(legMachine)),
  ].join('\n');
  return format(page, { ...(await resolveConfig(inWorkspace(STATES_PAGE))), parser: 'markdown' });
}

if (import.meta.main) {
  const page = inWorkspace(STATES_PAGE);
  if (process.argv.includes('--write')) {
    await writeFile(page, await renderStatesPage());
    console.log(`wrote ${STATES_PAGE}`);
  } else if ((await readFile(page, 'utf8')) === (await renderStatesPage())) {
    console.log(`${STATES_PAGE} matches the tables`);
  } else {
    console.error(`${STATES_PAGE} does not match the tables: run this command with --write`);
    process.exitCode = 1;
  }
}
