/** A host name or an IPv4 address, with or without a port from 1 to 65535. */
export const HOST_AND_PORT =
  /^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:([1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5]))?$/;
