import { connectJanus, type ConnectJanusOptions, type JanusConnection } from '../connection.ts';

/** A generous limit for one step of a test: CI machines are slow. */
export const LIMIT_MS = 20_000;

/** Connects to a test Janus. What a listener throws fails the test run. */
export function connect(
  janus: { readonly url: string; readonly apiSecret: string },
  options: Partial<ConnectJanusOptions> = {},
): Promise<JanusConnection> {
  return connectJanus({
    url: janus.url,
    apiSecret: janus.apiSecret,
    requestTimeoutMs: LIMIT_MS,
    keepAlive: { intervalMs: 2_000, timeoutMs: LIMIT_MS },
    onListenerError(error) {
      throw error;
    },
    ...options,
  });
}
