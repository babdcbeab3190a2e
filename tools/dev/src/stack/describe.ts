import { relative } from 'node:path';
import { workspaceRoot } from '../workspace.ts';
import type { Stack } from './stack.ts';

type Described = Pick<Stack, 'urls' | 'numbers' | 'apiKey' | 'logFolder'> & {
  readonly emulator: { readonly baseUrl: string } | null;
  readonly selfHosted: { readonly kamailio: { readonly sipUri: string } } | null;
  readonly credentials: { readonly tenantId: string; readonly operator: { readonly key: string } };
};

/** The provider of a stack, in a sentence, and where it is. */
function describeProvider({ emulator, selfHosted, numbers }: Pick<Described, 'emulator' | 'selfHosted' | 'numbers'>) {
  if (emulator) return { what: 'an emulated provider', where: emulator.baseUrl };
  if (!selfHosted) return { what: 'your Vonage account', where: 'Vonage' };
  return {
    what: 'kamailio, Janus and media-gateway',
    where: `sip:${numbers[0]?.e164}@${selfHosted.kamailio.sipUri}   (dial this with a SIP phone on this machine)`,
  };
}

/** Where the SIP trunks of tenants send calls, beside the emulated provider. */
const describeSip = ({ emulator, selfHosted }: Pick<Described, 'emulator' | 'selfHosted'>): string =>
  emulator && selfHosted
    ? `  SIP           ${selfHosted.kamailio.sipUri}   (SIP trunks and phones: docs/self-hosted.md)\n`
    : '';

/** Describes how to use a running stack: addresses, keys, a first request, and where to read on. */
export function describeStack(stack: Described): string {
  const { urls, numbers, apiKey, credentials, logFolder } = stack;
  const provider = describeProvider(stack);
  return `
Partyline is up, with ${provider.what}. Ctrl-C stops everything.

  API           ${urls['room-api']}   (reference: ${urls['room-api']}/docs)
  webhooks      ${urls['voice-webhooks']}
  provider      ${provider.where}
${describeSip(stack)}  numbers       ${numbers.map(({ e164 }) => e164).join(', ')}
  key           ${apiKey}
  tenant        ${credentials.tenantId}
  operator key  ${credentials.operator.key}
  logs          ${relative(workspaceRoot, logFolder)}

Create a room:

  curl -s ${urls['room-api']}/v1/rooms \\
    -H 'authorization: Bearer ${apiKey}' \\
    -H 'content-type: application/json' \\
    -d '{"name":"Monday call"}'

Read on: README.md, docs/api.md (every request by example), docs/cli.md, docs/sdk.md
`;
}
