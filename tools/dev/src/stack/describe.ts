import { ID_PLACEHOLDER, type OwnAccount } from './own-account.ts';
import type { Stack } from './stack.ts';

/** Describes how to use a running stack: its URLs and a first request. */
export const describeStack = (stack: Stack): string => `
Partyline is up, with ${stack.emulator ? 'an emulated provider' : 'a real provider account'}.

  API              ${stack.urls['room-api']}   (reference: ${stack.urls['room-api']}/docs)
  webhooks         ${stack.urls['voice-webhooks']}
  provider         ${stack.emulator?.baseUrl ?? 'Vonage'}
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
Ctrl-C stops everything.`;

/**
 * Describes how to add the second account of the emulated provider: as the tenant, at the provider,
 * and as the operator.
 */
const describeOwnAccount = (
  { urls, emulator, apiKey, credentials }: Stack,
  { number, bodyFile, addressesFile }: OwnAccount,
): string => `
Add a provider account of the tenant's own; the emulated provider has one with the number ${number}.
Save it as the tenant:

  ACCOUNT=$(curl -s ${urls['room-api']}/v1/provider-accounts \\
    -H 'authorization: Bearer ${apiKey}' \\
    -H 'content-type: application/json' \\
    -d @${bodyFile} | grep -o 'acct_[A-Za-z0-9_-]*' | head -n 1)

Set its webhook URLs at the provider:

  sed "s/${ID_PLACEHOLDER}/$ACCOUNT/" ${addressesFile} | curl -s -o /dev/null \\
    -X PUT ${emulator?.baseUrl}/emulator/config -H 'content-type: application/json' -d @-

Add the number as the operator. Rooms of the tenant with this number then use that account:

  curl -s ${urls['room-api']}/v1/operator/numbers \\
    -H 'authorization: Bearer ${credentials.operator.key}' \\
    -H 'content-type: application/json' \\
    -d '{"number":"${number}","tenantId":"${credentials.tenantId}","providerAccountId":"'$ACCOUNT'"}'
`;
