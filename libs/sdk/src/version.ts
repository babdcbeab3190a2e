/** Sent as the user agent of every request. */
export const SDK_VERSION = '0.1.0';
