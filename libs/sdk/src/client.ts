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
import { usage } from './resources/usage.ts';
import { createRetryingFetch, type RetryPolicy } from './retry.ts';
import type { StreamTransport } from './stream.ts';
import { SDK_VERSION } from './version.ts';

export interface PartylineOptions extends Partial<RetryPolicy> {
  /** `pl_<env>_<id>_<secret>`, or an operator's key. */
  readonly apiKey: string;
  /** Where the API is, for example `https://api.example.com`. */
  readonly baseUrl: string;
  /** Makes the key under which a write is done once. Default: a random UUID. */
  readonly newIdempotencyKey?: () => string;
}

/**
 * The API of one Partyline, for one key. Every call throws a PartylineError; reads and writes are tried again on no answer, 429 and 503 (four times by
 * default, backing off, waiting as long as Retry-After says), a write under one Idempotency-Key, so that it is done once.
 */
export class Partyline {
  readonly rooms: ReturnType<typeof rooms>;
  readonly participants: ReturnType<typeof participants>;
  readonly pins: ReturnType<typeof pins>;
  readonly numbers: ReturnType<typeof numbers>;
  readonly providerAccounts: ReturnType<typeof providerAccounts>;
  readonly sessions: ReturnType<typeof sessions>;
  readonly events: ReturnType<typeof events>;
  readonly endpoints: ReturnType<typeof endpoints>;
  readonly hangUps: ReturnType<typeof hangUps>;
  readonly usage: ReturnType<typeof usage>;
  readonly keys: ReturnType<typeof keys>;
  readonly account: ReturnType<typeof account>;
  readonly operator: ReturnType<typeof operator>;

  constructor(options: PartylineOptions) {
    const { client, wire } = open(options);
    this.rooms = rooms(client);
    this.participants = participants(client);
    this.pins = pins(client);
    this.numbers = numbers(client);
    this.providerAccounts = providerAccounts(client);
    this.sessions = sessions(client);
    this.events = events(client, wire);
    this.endpoints = endpoints(client);
    this.hangUps = hangUps(client);
    this.usage = usage(client);
    this.keys = keys(client);
    this.account = account(client);
    this.operator = operator(client);
  }
}

const wait: RetryPolicy['sleep'] = (ms, signal) => setTimeout(ms, undefined, { signal }).catch(() => undefined);

function open(options: PartylineOptions): { client: Client; wire: StreamTransport } {
  const {
    apiKey,
    fetch = globalThis.fetch,
    retries = 4,
    timeoutMs = 30_000,
    sleep = wait,
    random = Math.random,
    newIdempotencyKey = () => globalThis.crypto.randomUUID(),
  } = options;
  const baseUrl = options.baseUrl.replace(/\/+$/, '');
  if (!/^https?:\/\//.test(baseUrl))
    throw new PartylineError(0, 'invalid-options', `«${baseUrl}» is no base URL.`, {
      fix: 'Give the API’s address with its scheme, such as https://api.example.com.',
    });
  if (!/^\S+$/.test(apiKey))
    throw new PartylineError(0, 'invalid-options', 'There is no API key.', {
      fix: 'Give apiKey, pl_<env>_<id>_<secret>.',
    });
  const agent = `partyline-sdk/${SDK_VERSION}`;
  const patient = createRetryingFetch({ fetch, retries, timeoutMs, sleep, random });
  const client = createClient(
    createConfig({
      baseUrl,
      auth: apiKey,
      headers: { 'user-agent': agent },
      // A redirect would take the key along, or turn a POST into a GET.
      redirect: 'error',
      fetch: (input) => patient(input as Request),
      throwOnError: true,
    }),
  );
  client.interceptors.request.use((request) => {
    if (request.method !== 'GET' && !request.headers.has('idempotency-key'))
      request.headers.set('idempotency-key', newIdempotencyKey());
    return request;
  });
  client.interceptors.error.use((error, response, request) => {
    if (request?.signal.aborted === true && response === undefined) return request.signal.reason;
    return response === undefined ? toConnectionError(request?.url ?? baseUrl, error) : toError(response, error);
  });
  return {
    client,
    wire: { fetch, baseUrl, headers: { authorization: `Bearer ${apiKey}`, 'user-agent': agent }, sleep, random },
  };
}
