/** Sent with every request, so that an operator can tell which client asked. */
export const SDK_VERSION = '0.1.0';
