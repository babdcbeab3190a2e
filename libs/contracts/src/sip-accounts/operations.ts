import type { Operation } from '../operation.ts';
import { CreateSipAccount, DeletedSipAccount, SipAccounts, SipAccountWithPassword } from './sip-account.ts';

export const SIP_ACCOUNT_OPERATIONS: readonly Operation[] = [
  {
    id: 'createSipAccount',
    method: 'post',
    path: '/v1/sip-accounts',
    tag: 'sip-accounts',
    scope: 'admin',
    summary: 'Create a SIP account',
    description:
      'Creates the login of one SIP phone and shows its password only once. The phone can register within seconds. At ' +
      'most 100 SIP accounts.',
    body: CreateSipAccount,
    reply: { status: 201, schema: SipAccountWithPassword },
    reasons: ['too-many-sip-accounts', 'accounts-not-configured', 'sip-not-configured', 'master-key-missing'],
  },
  {
    id: 'listSipAccounts',
    method: 'get',
    path: '/v1/sip-accounts',
    tag: 'sip-accounts',
    scope: 'admin',
    summary: 'List SIP accounts',
    description: 'All your SIP accounts, oldest first, without passwords.',
    reply: { status: 200, schema: SipAccounts },
    reasons: [],
  },
  {
    id: 'rotateSipAccount',
    method: 'post',
    path: '/v1/sip-accounts/{sipAccountId}/rotate',
    tag: 'sip-accounts',
    scope: 'admin',
    summary: 'Rotate the password of a SIP account',
    description:
      'Replaces the password and shows the new one only once. The old one is rejected within seconds. The request ' +
      'has no body.',
    reply: { status: 200, schema: SipAccountWithPassword },
    reasons: ['sip-account-not-found', 'accounts-not-configured', 'sip-not-configured', 'master-key-missing'],
  },
  {
    id: 'deleteSipAccount',
    method: 'delete',
    path: '/v1/sip-accounts/{sipAccountId}',
    tag: 'sip-accounts',
    scope: 'admin',
    summary: 'Delete a SIP account',
    description: 'Deletes the login. The phone can place no new call within seconds; a call that is up goes on.',
    reply: { status: 200, schema: DeletedSipAccount },
    reasons: ['sip-account-not-found'],
  },
];
