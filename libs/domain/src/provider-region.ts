/** Regions of a provider in which an account's calls can be kept. */
export const PROVIDER_REGIONS = ['us', 'eu', 'ap'] as const;
export type ProviderRegion = (typeof PROVIDER_REGIONS)[number];
