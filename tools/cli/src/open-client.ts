import { Partyline } from '@partyline/sdk';
import type { Settings } from './settings.ts';

interface ClientFactory {
  readonly open: (settings: Settings) => Partyline;
  /** Whether the server may have received a change, even if no response arrived. */
  readonly mayHaveWritten: () => boolean;
}

/**
 * Makes clients that derive the keys of their writes from one key: the first write uses it
 * unchanged, later ones append `-2`, `-3`. A repeated command then sends the same keys in the same
 * order.
 */
export function createClientFactory(idempotencyKey: string): ClientFactory {
  let writes = 0;
  let hasSentWrite = false;
  const newIdempotencyKey = (): string => ((writes += 1) === 1 ? idempotencyKey : `${idempotencyKey}-${writes}`);
  const observedFetch: typeof fetch = async (input, init) => {
    const isWrite = input instanceof Request && input.method !== 'GET';
    try {
      const response = await fetch(input, init);
      hasSentWrite ||= isWrite;
      return response;
    } catch (error) {
      hasSentWrite ||= isWrite && !failedToConnect(error);
      throw error;
    }
  };
  return {
    open: ({ url, key }) => new Partyline({ baseUrl: url, apiKey: key, newIdempotencyKey, fetch: observedFetch }),
    mayHaveWritten: () => hasSentWrite,
  };
}

/** Codes of Node for a certificate that is rejected, before anything is sent. */
const CERTIFICATE_CODES = /CERT|SELF_SIGNED|UNABLE_TO_|ERR_TLS/;

/** Whether fetch failed before it sent anything; the actual failure is in the error's cause. */
function failedToConnect(error: unknown): boolean {
  const { cause, errors, code, syscall, message } = error as Error & {
    readonly errors?: readonly unknown[];
    readonly code?: string | number;
    readonly syscall?: string;
  };
  if (cause instanceof Error) return failedToConnect(cause);
  // A host name can have several addresses.
  if (errors !== undefined && errors.length > 0) return errors.every(failedToConnect);
  return (
    syscall === 'connect' ||
    syscall === 'getaddrinfo' ||
    code === 'UND_ERR_CONNECT_TIMEOUT' ||
    CERTIFICATE_CODES.test(String(code)) ||
    // The Fetch standard blocks ports of other protocols.
    message === 'bad port'
  );
}
