import type { Stack } from './stack.ts';

/** How to use a running stack: its addresses and a first request. */
export const describeStack = (stack: Stack): string => `
Partyline is up, with ${stack.vendor ? 'an emulated vendor' : 'the real vendor'}.

  API              ${stack.urls['room-api']}   (reference: ${stack.urls['room-api']}/docs)
  carrier webhooks ${stack.urls['voice-webhooks']}
  vendor           ${stack.vendor?.baseUrl ?? 'Vonage'}
  Postgres         ${stack.databaseUrl}
  Redis            ${stack.redisUrl}
  logs             ${stack.logFolder}
  dial-in numbers  ${stack.numbers.map(({ e164 }) => e164).join(', ')}

Create a room:

  curl -s ${stack.urls['room-api']}/v1/rooms \\
    -H 'authorization: Bearer ${stack.apiKey}' \\
    -H 'content-type: application/json' \\
    -d '{"name":"Monday call"}'

Create a tenant, as its operator:

  curl -s ${stack.urls['room-api']}/v1/operator/tenants \\
    -H 'authorization: Bearer ${stack.credentials.operator.key}' \\
    -H 'content-type: application/json' \\
    -d '{"name":"Acme"}'

Ctrl-C ends everything.`;
