import { relative } from 'node:path';
import { workspaceRoot } from '../workspace.ts';
import type { Stack } from './stack.ts';

type Described = Pick<Stack, 'urls' | 'numbers' | 'apiKey' | 'logFolder'> & {
  readonly emulator: { readonly baseUrl: string } | null;
  readonly credentials: { readonly tenantId: string; readonly operator: { readonly key: string } };
};

/** Describes how to use a running stack: addresses, keys, a first request, and where to read on. */
export const describeStack = ({ urls, emulator, numbers, apiKey, credentials, logFolder }: Described): string => `
Partyline is up, with ${emulator ? 'an emulated provider' : 'your Vonage account'}. Ctrl-C stops everything.

  API           ${urls['room-api']}   (reference: ${urls['room-api']}/docs)
  webhooks      ${urls['voice-webhooks']}
  provider      ${emulator?.baseUrl ?? 'Vonage'}
  numbers       ${numbers.map(({ e164 }) => e164).join(', ')}
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
