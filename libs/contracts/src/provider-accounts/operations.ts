import { badBody, notNow, type Operation } from '../operation.ts';
import {
  ChangeProviderAccount,
  CreateProviderAccount,
  DeletedProviderAccount,
  ProviderAccount,
  ProviderAccounts,
  RotateProviderAccount,
} from './provider-account.ts';

const noAccount = { 404: '`provider-account-not-found`: there is no such account, or it is another tenant’s.' };
const refused = '`provider-account-rejected`: the provider does not take these credentials.';
/** Asking the provider itself. */
const asked = {
  ...notNow,
  503: `${notNow[503]} \`accounts-not-configured\`: the operator keeps no accounts of tenants’ own.`,
};

export const PROVIDER_ACCOUNT_OPERATIONS: readonly Operation[] = [
  {
    id: 'createProviderAccount',
    method: 'post',
    path: '/v1/provider-accounts',
    tag: 'provider-accounts',
    scope: 'admin',
    summary: 'Bring your own account',
    description:
      'Keeps the credentials of your own account at the provider, sealed, once the provider has taken them. Set its `addresses` at the vendor; the platform’s operator then leads numbers of yours to it. At most ten.',
    body: CreateProviderAccount,
    reply: { status: 201, schema: ProviderAccount },
    problems: {
      ...badBody,
      ...asked,
      409: '`too-many-provider-accounts`: there are ten already. `application-taken`: this application is an account already. `application-in-use`: calls are up in it that are not Partyline’s.',
      422: `${badBody[422]} ${refused}`,
    },
  },
  {
    id: 'listProviderAccounts',
    method: 'get',
    path: '/v1/provider-accounts',
    tag: 'provider-accounts',
    scope: 'admin',
    summary: 'List your accounts',
    description: 'All your accounts at the provider, oldest first.',
    reply: { status: 200, schema: ProviderAccounts },
    problems: {},
  },
  {
    id: 'getProviderAccount',
    method: 'get',
    path: '/v1/provider-accounts/{accountId}',
    tag: 'provider-accounts',
    scope: 'admin',
    summary: 'Look at an account',
    description: 'One account: what to set at the vendor, and which numbers use it. No secret is ever shown.',
    reply: { status: 200, schema: ProviderAccount },
    problems: noAccount,
  },
  {
    id: 'changeProviderAccount',
    method: 'patch',
    path: '/v1/provider-accounts/{accountId}',
    tag: 'provider-accounts',
    scope: 'admin',
    summary: 'Rename an account',
    description: 'Changes what you call it. Credentials are changed by rotating them.',
    body: ChangeProviderAccount,
    reply: { status: 200, schema: ProviderAccount },
    problems: { ...noAccount, ...badBody },
  },
  {
    id: 'rotateProviderAccount',
    method: 'post',
    path: '/v1/provider-accounts/{accountId}/rotate',
    tag: 'provider-accounts',
    scope: 'admin',
    summary: 'Replace its credentials',
    description:
      'Takes new credentials, once the provider has taken them. Requests use them at once; webhooks that are signed with the old secrets are taken too for a day, or for as long as you say. The application and the project cannot change: what is up lives there.',
    body: RotateProviderAccount,
    reply: { status: 200, schema: ProviderAccount },
    problems: {
      ...noAccount,
      ...badBody,
      ...asked,
      409: '`provider-account-changed`: it was rotated or deleted by somebody else meanwhile.',
      422: `${badBody[422]} \`provider-account-differs\`: they are another account’s. ${refused}`,
    },
  },
  {
    id: 'verifyProviderAccount',
    method: 'post',
    path: '/v1/provider-accounts/{accountId}/verify',
    tag: 'provider-accounts',
    scope: 'admin',
    summary: 'Try an account out',
    description: 'Asks the provider whether it still takes the credentials. Takes no body.',
    reply: { status: 200, schema: ProviderAccount },
    problems: { ...noAccount, ...asked, 422: refused },
  },
  {
    id: 'deleteProviderAccount',
    method: 'delete',
    path: '/v1/provider-accounts/{accountId}',
    tag: 'provider-accounts',
    scope: 'admin',
    summary: 'Delete an account',
    description: 'Wipes its credentials. Not while a number leads to it, or a session or call of it is up.',
    reply: { status: 200, schema: DeletedProviderAccount },
    problems: { ...noAccount, 409: '`provider-account-in-use`: numbers lead to it, or a session or call of it is up.' },
  },
];
