import { readFile, writeFile } from 'node:fs/promises';
import { legMachine } from '@partyline/domain/leg';
import { toMermaid } from '@partyline/domain/machine';
import { sessionMachine } from '@partyline/domain/session';
import { inWorkspace } from '@partyline/dev/workspace';
import { format, resolveConfig } from 'prettier';

export const STATES_PAGE = 'docs/states.md';

const HEADER = `# States of a session and of a leg

<!-- Made from the tables in libs/domain. Do not edit: node --conditions=@partyline/source tools/checks/src/state-diagrams.ts --write -->

A **session** is one meeting in a room. A **leg** is one connection of it that costs money: a browser (\`webrtc\`), a caller (\`inbound\`),
somebody we rang (\`outbound\`), or the \`bridge\`, the call that ties the video session to the voice conference.

Two words must not be confused:

- \`ending\` means that the end is decided and the hang-up is owed or asked. The provider may still be charging.
- \`ended\` means that the provider was seen to have closed it. An accepted hang-up is not enough, nor is "not found": only an observation
  with a final status, from a signed webhook or from our own look-up, ends a leg. A session is \`ended\` when every leg of it is.

Providers deliver late, twice and out of order, so an event that a state does not name is ignored. No event leads out of \`ended\`.
`;

const SESSION = `## Session

\`open\` is created and empty. It is \`live\` from the first browser or caller on. Every way to end it goes through the one decision, and the
first reason stands. Nobody joins a session that is \`ending\` or \`ended\`.
`;

const LEG = `## Leg

\`requested\` is a row in our database, written before the provider is asked. \`dialling\` is asked: if the answer is lost, the leg stays there
until something is observed of it, and is not dialled twice. A leg that is picked up after its end was decided stays \`ending\` and is asked
again to hang up. The bridge has two sides, a video connection and a call, and is closed when both are.
`;

const diagram = (text: string): string => `\`\`\`mermaid\n${text}\n\`\`\`\n`;

/** The page as the tables say it. */
export async function statesPage(): Promise<string> {
  const page = [HEADER, SESSION, diagram(toMermaid(sessionMachine)), LEG, diagram(toMermaid(legMachine))].join('\n');
  return format(page, { ...(await resolveConfig(inWorkspace(STATES_PAGE))), parser: 'markdown' });
}

if (import.meta.main) {
  const page = inWorkspace(STATES_PAGE);
  if (process.argv.includes('--write')) {
    await writeFile(page, await statesPage());
    console.log(`wrote ${STATES_PAGE}`);
  } else if ((await readFile(page, 'utf8')) === (await statesPage())) {
    console.log(`${STATES_PAGE} says what the tables say`);
  } else {
    console.error(`${STATES_PAGE} does not say what the tables say: run this again with --write`);
    process.exitCode = 1;
  }
}
