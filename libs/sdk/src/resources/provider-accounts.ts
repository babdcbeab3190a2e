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
  /**
   * Tests the credentials at the provider, then stores them. Configure the returned `addresses` at
   * the provider.
   */
  create: (account: CreateProviderAccountData['body'], options?: CallOptions): Promise<ProviderAccount> =>
    createProviderAccount({ ...toRequestOptions(client, options), body: account }),
  list: (options?: CallOptions): Promise<ProviderAccounts> =>
    listProviderAccounts({ ...toRequestOptions(client, options) }),
  get: (accountId: string, options?: CallOptions): Promise<ProviderAccount> =>
    getProviderAccount({ ...toRequestOptions(client, options), path: { accountId } }),
  change: (
    accountId: string,
    change: ChangeProviderAccountData['body'],
    options?: CallOptions,
  ): Promise<ProviderAccount> =>
    changeProviderAccount({ ...toRequestOptions(client, options), path: { accountId }, body: change }),
  /**
   * Replaces the credentials. Webhooks signed with the old secrets are accepted for the overlap.
   */
  rotate: (
    accountId: string,
    settings: RotateProviderAccountData['body'],
    options?: CallOptions,
  ): Promise<ProviderAccount> =>
    rotateProviderAccount({ ...toRequestOptions(client, options), path: { accountId }, body: settings }),
  /** Tests the stored credentials at the provider. */
  verify: (accountId: string, options?: CallOptions): Promise<ProviderAccount> =>
    verifyProviderAccount({ ...toRequestOptions(client, options), path: { accountId } }),
  /** Deletes the account and its credentials. */
  delete: (accountId: string, options?: CallOptions): Promise<DeletedProviderAccount> =>
    deleteProviderAccount({ ...toRequestOptions(client, options), path: { accountId } }),
});
