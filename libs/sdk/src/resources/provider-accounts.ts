import { toRequestOptions, type CallOptions } from '../call.ts';
import type { Client } from '../generated/client/index.ts';
import {
  changeProviderAccount,
  createProviderAccount,
  deleteProviderAccount,
  getProviderAccount,
  listProviderAccounts,
  rotateProviderAccount,
  verifyProviderAccount,
} from '../generated/sdk.gen.ts';
import type {
  ChangeProviderAccountData,
  CreateProviderAccountData,
  DeletedProviderAccount,
  ProviderAccount,
  ProviderAccounts,
  RotateProviderAccountData,
} from '../generated/types.gen.ts';

export const providerAccounts = (client: Client) => ({
  /** Your own account at the provider, tried out before it is kept. Set its `addresses` at the vendor. */
  create: (account: CreateProviderAccountData['body'], options?: CallOptions): Promise<ProviderAccount> =>
    createProviderAccount({ ...toRequestOptions(client, options), body: account }),
  list: (options?: CallOptions): Promise<ProviderAccounts> => listProviderAccounts({ ...toRequestOptions(client, options) }),
  get: (accountId: string, options?: CallOptions): Promise<ProviderAccount> =>
    getProviderAccount({ ...toRequestOptions(client, options), path: { accountId } }),
  change: (
    accountId: string,
    change: ChangeProviderAccountData['body'],
    options?: CallOptions,
  ): Promise<ProviderAccount> =>
    changeProviderAccount({ ...toRequestOptions(client, options), path: { accountId }, body: change }),
  /** New credentials of the same account; the old secrets are good for webhooks for a while. */
  rotate: (
    accountId: string,
    how: RotateProviderAccountData['body'],
    options?: CallOptions,
  ): Promise<ProviderAccount> =>
    rotateProviderAccount({ ...toRequestOptions(client, options), path: { accountId }, body: how }),
  /** Asks the provider whether it still takes the credentials. */
  verify: (accountId: string, options?: CallOptions): Promise<ProviderAccount> =>
    verifyProviderAccount({ ...toRequestOptions(client, options), path: { accountId } }),
  /** Wipes its credentials. */
  delete: (accountId: string, options?: CallOptions): Promise<DeletedProviderAccount> =>
    deleteProviderAccount({ ...toRequestOptions(client, options), path: { accountId } }),
});
