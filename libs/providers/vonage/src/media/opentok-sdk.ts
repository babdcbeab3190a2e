import { createRequire } from 'node:module';
import { fromCallback, type NodeCallback } from '../call-sdk.ts';
import { toStatusError } from '@partyline/provider-contract/http-failure';
import { type StatusError } from '@partyline/provider-contract/http-failure';

type Options = Readonly<Record<string, unknown>>;
/** The inner client of the SDK passes the response; the outer methods drop it. */
type InnerCall = (body: Options, done: (error: unknown, json?: unknown, response?: unknown) => void) => void;

/** The used part of the npm package `opentok`, which has no types. */
interface OpenTok {
  readonly client: { readonly dial: InnerCall; readonly createSession: InnerCall };
  generateToken(sessionId: string, options: Options): string;
  generateJwt(): string;
  createSession(options: Record<string, unknown>, done: NodeCallback<unknown>): void;
  dial(sessionId: string, token: string, sipUri: string, options: Options, done: NodeCallback<unknown>): void;
}

const OpenTokClass = createRequire(import.meta.url)('opentok') as new (
  apiKey: string,
  apiSecret: string,
  apiUrl: string,
) => OpenTok;

export const createOpenTok = (apiKey: string, apiSecret: string, apiUrl: string): OpenTok =>
  new OpenTokClass(apiKey, apiSecret, apiUrl);

/**
 * Calls `dial` or `createSession` and keeps the status of a failure. Both wrap every failure in a
 * plain Error without the status (contract section 0.5), and a 429 must not look like a dial that
 * may have taken effect. The call uses an object that inherits from the SDK and observes its inner
 * client; the SDK itself is not changed.
 */
export async function callOpenTok(
  sdk: OpenTok,
  method: 'dial' | 'createSession',
  call: (sdk: OpenTok, done: NodeCallback<unknown>) => void,
): Promise<unknown> {
  let status: StatusError | undefined;
  const observingCall: InnerCall = (body, done) => {
    sdk.client[method](body, (error, json, response) => {
      if (error !== null && error !== undefined) status = toStatusError(response);
      done(error, json, response);
    });
  };
  const client = Object.create(sdk.client, { [method]: { value: observingCall } }) as OpenTok['client'];
  const view = Object.create(sdk, { client: { value: client } }) as OpenTok;
  try {
    return await fromCallback((done) => call(view, done));
  } catch (error) {
    throw status ?? error;
  }
}
