import { ID_PLACEHOLDER, type OwnAccount } from './own-account.ts';
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
${stack.ownAccount === null ? '' : describeOwnAccount(stack, stack.ownAccount)}
Ctrl-C ends everything.`;

/** Saving the second account that the emulated vendor holds: as the tenant, at the vendor, and as the operator. */
const describeOwnAccount = (
  { urls, vendor, apiKey, credentials }: Stack,
  { number, bodyFile, addressesFile }: OwnAccount,
): string => `
Let the tenant bring an account of its own, which the emulated vendor has ready with ${number}: save it,

  ACCOUNT=$(curl -s ${urls['room-api']}/v1/provider-accounts \\
    -H 'authorization: Bearer ${apiKey}' \\
    -H 'content-type: application/json' \\
    -d @${bodyFile} | grep -o 'acct_[A-Za-z0-9_-]*' | head -n 1)

tell the vendor where its webhooks go,

  sed "s/${ID_PLACEHOLDER}/$ACCOUNT/" ${addressesFile} | curl -s -o /dev/null -X PUT ${vendor?.baseUrl}/emulator/config \\
    -H 'content-type: application/json' -d @-

and add the number, as the operator. The tenant's rooms on it then live in that account.

  curl -s ${urls['room-api']}/v1/operator/numbers \\
    -H 'authorization: Bearer ${credentials.operator.key}' \\
    -H 'content-type: application/json' \\
    -d '{"number":"${number}","tenantId":"${credentials.tenantId}","providerAccountId":"'$ACCOUNT'"}'
`;
