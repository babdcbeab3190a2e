import { createRequire } from 'node:module';
import { fromCallback, type NodeCallback } from '../call-sdk.ts';
import { toStatusError, type StatusError } from '../errors.ts';

type Options = Readonly<Record<string, unknown>>;
/** The SDK's inner client tells the response; the outer methods throw it away. */
type InnerCall = (body: Options, done: (error: unknown, json?: unknown, response?: unknown) => void) => void;

/** What is used of npm `opentok`, which ships no types of its own. */
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
 * Calls `dial` or `createSession` so that a refusal keeps its status. Both wrap every failure into a plain Error whose text says nothing
 * about 400, 409, 429 or 5xx (contract section 0.5), and a 429 must not look like a dial that may have been made. For one call, the SDK is seen
 * through an object that inherits from it and listens in where its inner client reports; the SDK itself is left as it is.
 */
export async function callOpenTok(
  sdk: OpenTok,
  method: 'dial' | 'createSession',
  call: (sdk: OpenTok, done: NodeCallback<unknown>) => void,
): Promise<unknown> {
  let status: StatusError | undefined;
  const listening: InnerCall = (body, done) => {
    sdk.client[method](body, (error, json, response) => {
      if (error !== null && error !== undefined) status = toStatusError(response);
      done(error, json, response);
    });
  };
  const client = Object.create(sdk.client, { [method]: { value: listening } }) as OpenTok['client'];
  const view = Object.create(sdk, { client: { value: client } }) as OpenTok;
  try {
    return await fromCallback((done) => call(view, done));
  } catch (error) {
    throw status ?? error;
  }
}
