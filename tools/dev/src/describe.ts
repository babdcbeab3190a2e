import type { Mode } from './service-environment.ts';
import type { Stack } from './stack.ts';

/** How to use a running stack: its addresses and a first request. */
export const describeStack = (stack: Stack, mode: Mode): string => `
Partyline is up (${mode} video, emulated vendor).

  API              ${stack.urls['room-api']}
  carrier webhooks ${stack.urls['voice-webhooks']}
  emulated vendor  ${stack.vendorUrl}
  Postgres         ${stack.databaseUrl}
  Redis            ${stack.redisUrl}
  logs             ${stack.logFolder}
  dial-in numbers  ${stack.numbers.map(({ e164 }) => e164).join(', ')}

Create a room:

  curl -s ${stack.urls['room-api']}/v1/rooms \\
    -H 'authorization: Bearer ${stack.apiKey}' \\
    -H 'content-type: application/json' \\
    -d '{"name":"Monday call"}'

Ctrl-C ends everything.`;
