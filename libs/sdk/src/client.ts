import { setTimeout } from 'node:timers/promises';
import { PartylineError, toError, toConnectionError } from './error.ts';
import { createClient, createConfig, type Client } from './generated/client/index.ts';
import { account } from './resources/account.ts';
import { endpoints } from './resources/endpoints.ts';
import { events } from './resources/events.ts';
import { hangUps } from './resources/hang-ups.ts';
import { keys } from './resources/keys.ts';
import { numbers } from './resources/numbers.ts';
import { operator } from './resources/operator.ts';
import { participants } from './resources/participants.ts';
import { pins } from './resources/pins.ts';
import { providerAccounts } from './resources/provider-accounts.ts';
import { rooms } from './resources/rooms.ts';
import { sessions } from './resources/sessions.ts';
import { sipAccounts } from './resources/sip-accounts.ts';
import { usage } from './resources/usage.ts';
import { createRetryingFetch, type RetryPolicy } from './retry.ts';
import type { StreamTransport } from './stream.ts';
import { SDK_VERSION } from './version.ts';

export interface PartylineOptions extends Partial<RetryPolicy> {
  /** `pl_<env>_<id>_<secret>`, or an operator's key. */
  readonly apiKey: string;
  /** The address of the API, such as `https://api.example.com`. */
  readonly baseUrl: string;
  /** Creates the Idempotency-Key of a write. Default: a random UUID. */
  readonly newIdempotencyKey?: () => string;
}

/**
 * The API of one Partyline deployment, for one key. Calls throw a PartylineError. Without a
 * response, and on 408, 429, 503 and 409 with Retry-After, a call is retried with back-off (four
 * times by default). The attempts of a write share one Idempotency-Key, so the API performs it
 * once.
 */
export class Partyline {
  readonly rooms: ReturnType<typeof rooms>;
  readonly participants: ReturnType<typeof participants>;
  readonly pins: ReturnType<typeof pins>;
  readonly numbers: ReturnType<typeof numbers>;
  readonly providerAccounts: ReturnType<typeof providerAccounts>;
  readonly sipAccounts: ReturnType<typeof sipAccounts>;
  readonly sessions: ReturnType<typeof sessions>;
  readonly events: ReturnType<typeof events>;
  readonly endpoints: ReturnType<typeof endpoints>;
  readonly hangUps: ReturnType<typeof hangUps>;
  readonly usage: ReturnType<typeof usage>;
  readonly keys: ReturnType<typeof keys>;
  readonly account: ReturnType<typeof account>;
  readonly operator: ReturnType<typeof operator>;

  constructor(options: PartylineOptions) {
    const { client, transport } = openClient(options);
    this.rooms = rooms(client);
    this.participants = participants(client);
    this.pins = pins(client);
    this.numbers = numbers(client);
    this.providerAccounts = providerAccounts(client);
    this.sipAccounts = sipAccounts(client);
    this.sessions = sessions(client);
    this.events = events(client, transport);
    this.endpoints = endpoints(client);
    this.hangUps = hangUps(client);
    this.usage = usage(client);
    this.keys = keys(client);
    this.account = account(client);
    this.operator = operator(client);
  }
}

const sleepUntil: RetryPolicy['sleep'] = (ms, signal) => setTimeout(ms, undefined, { signal }).catch(() => undefined);

/** Programs usually read options and ids from variables, which TypeScript cannot check. */
function isMissing(value: unknown): boolean {
  return value === undefined || value === null || value === '' || value === 'undefined';
}

function assertOptions({ baseUrl, apiKey }: Partial<PartylineOptions> = {}): void {
  if (isMissing(baseUrl))
    throw new PartylineError(0, 'invalid-options', 'baseUrl is missing.', {
      fix:
        'Set baseUrl to the address of the API, such as https://api.example.com. ' +
        'If it comes from an environment variable (PARTYLINE_URL in the examples), set that variable.',
    });
  if (typeof baseUrl !== 'string' || !/^https?:\/\//.test(baseUrl) || !URL.canParse(baseUrl))
    throw new PartylineError(0, 'invalid-options', `baseUrl is '${String(baseUrl)}', which is not a URL.`, {
      fix: 'Set baseUrl to the address of the API with its scheme, such as https://api.example.com.',
    });
  if (isMissing(apiKey))
    throw new PartylineError(0, 'invalid-options', 'apiKey is missing.', {
      fix:
        'Set apiKey to a key of the form pl_<env>_<id>_<secret>. ' +
        'If it comes from an environment variable (PARTYLINE_KEY in the examples), set that variable.',
    });
  if (typeof apiKey !== 'string' || !/^[!-~]+$/.test(apiKey))
    throw new PartylineError(0, 'invalid-options', 'apiKey contains characters that a key cannot contain.', {
      fix: 'Set apiKey to one key of the form pl_<env>_<id>_<secret>, without spaces and line breaks.',
    });
}

/** Rejects a call without one of its ids, which would otherwise address another resource. */
async function assertIds(request: unknown): Promise<void> {
  const { path = {} } = request as { path?: Readonly<Record<string, unknown>> };
  for (const [name, value] of Object.entries(path))
    if (isMissing(value))
      throw new PartylineError(0, 'invalid-options', `${name} is missing.`, {
        fix: `Pass ${name}, a string that is not empty. The request was not sent.`,
      });
}

function openClient(options: PartylineOptions): { client: Client; transport: StreamTransport } {
  assertOptions(options);
  const {
    apiKey,
    fetch = globalThis.fetch,
    retries = 4,
    timeoutMs = 30_000,
    sleep = sleepUntil,
    random = Math.random,
    newIdempotencyKey = () => globalThis.crypto.randomUUID(),
  } = options;
  const baseUrl = options.baseUrl.replace(/\/+$/, '');
  const userAgent = `partyline-sdk/${SDK_VERSION}`;
  const retryingFetch = createRetryingFetch({ fetch, retries, timeoutMs, sleep, random });
  const client = createClient(
    createConfig({
      baseUrl,
      auth: apiKey,
      headers: { 'user-agent': userAgent },
      // A redirect could send the key to another host, or turn a POST into a GET.
      redirect: 'error',
      fetch: (input) => retryingFetch(input as Request),
      requestValidator: assertIds,
      throwOnError: true,
    }),
  );
  client.interceptors.request.use((request) => {
    if (request.method !== 'GET' && !request.headers.has('idempotency-key'))
      request.headers.set('idempotency-key', newIdempotencyKey());
    return request;
  });
  client.interceptors.error.use((error, response, request) => {
    if (error instanceof PartylineError) return error;
    if (request?.signal.aborted === true && response === undefined) return request.signal.reason;
    return response === undefined ? toConnectionError(request?.url ?? baseUrl, error) : toError(response, error);
  });
  return {
    client,
    transport: {
      fetch,
      baseUrl,
      headers: { authorization: `Bearer ${apiKey}`, 'user-agent': userAgent },
      sleep,
      random,
    },
  };
}
