import { toRequestOptions, type CallOptions } from '../call.ts';
import type { Client } from '../generated/client/index.ts';
import { createSipAccount, deleteSipAccount, listSipAccounts, rotateSipAccount } from '../generated/sdk.gen.ts';
import type {
  CreateSipAccountData,
  DeletedSipAccount,
  SipAccounts,
  SipAccountWithPassword,
} from '../generated/types.gen.ts';

export const sipAccounts = (client: Client) => ({
  /** Creates the login of a SIP phone. The password is in this reply only. */
  create: (account: CreateSipAccountData['body'], options?: CallOptions): Promise<SipAccountWithPassword> =>
    createSipAccount({ ...toRequestOptions(client, options), body: account }),
  list: (options?: CallOptions): Promise<SipAccounts> => listSipAccounts({ ...toRequestOptions(client, options) }),
  /** Replaces the password. The new one is in this reply only. */
  rotate: (sipAccountId: string, options?: CallOptions): Promise<SipAccountWithPassword> =>
    rotateSipAccount({ ...toRequestOptions(client, options), path: { sipAccountId } }),
  /** Deletes the login. A call of the phone that is up goes on. */
  delete: (sipAccountId: string, options?: CallOptions): Promise<DeletedSipAccount> =>
    deleteSipAccount({ ...toRequestOptions(client, options), path: { sipAccountId } }),
});
