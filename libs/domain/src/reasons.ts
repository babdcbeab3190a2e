/**
 * One reason of a `VerdictError`: the HTTP status that it becomes, and the text of the
 * documentation.
 */
export interface ReasonEntry {
  readonly status: number;
  /** One sentence: what is wrong. */
  readonly meaning: string;
  /** One or two sentences: what the caller of the API does about it. */
  readonly action: string;
  /**
   * `webhook`: the answer to a provider's webhook. `internal`: a fault of the deployment or of the
   * code, not an answer of the API. Left out: an answer to a tenant or an operator.
   */
  readonly audience?: 'webhook' | 'internal';
}

/**
 * Every reason that a `VerdictError` can have. The HTTP status (libs/runtime), the responses of the
 * OpenAPI document (libs/contracts) and the list in docs/api.md are made from this table.
 * Reasons of providers are not in it: see `PROVIDER_REASONS`.
 */
export const REASONS = {
  'malformed-request': {
    status: 400,
    meaning: 'The request is not valid HTTP/1.1.',
    action: 'Use an HTTP client, or check what it sends. Any proxy on the way can also be the cause.',
  },
  'missing-key': {
    status: 401,
    meaning: 'The request has no API key.',
    action: 'Send `authorization: Bearer pl_<env>_<id>_<secret>`.',
  },
  'unknown-key': {
    status: 401,
    meaning: 'The API key is unknown or revoked.',
    action: 'Check that the key is complete and belongs to this environment (`pl_<env>_...`).',
  },
  'expired-key': {
    status: 401,
    meaning: 'The API key or the stream token has expired.',
    action: 'Use a newer one.',
  },
  'spend-limit': {
    status: 402,
    meaning: 'The remaining budget or minutes do not cover one more connection.',
    action: '`GET /v1/spend` shows which limit is reached. Raise the limit of the room, or ask the operator.',
  },
  'scope-missing': {
    status: 403,
    meaning: 'The API key does not have the scope that this operation needs.',
    action: 'Use a key that has the scope. The reference names the scope of each operation.',
  },
  'scope-exceeded': {
    status: 403,
    meaning: 'The other key has scopes that this API key does not have.',
    action: 'Use a key that has all of these scopes, or request fewer.',
  },
  'expiry-exceeded': {
    status: 403,
    meaning: 'The other key would be valid for longer than this API key.',
    action: 'Give an earlier `expiresAt`, or use a key that expires later.',
  },
  'tenant-suspended': {
    status: 403,
    meaning: 'Your account is suspended.',
    action: 'Contact the operator.',
  },
  'destination-not-allowed': {
    status: 403,
    meaning: 'You may not call numbers of this country.',
    action: 'Ask the operator to allow the country.',
  },
  'destination-premium': {
    status: 403,
    meaning: 'Premium-rate, shared-cost, personal, company, satellite and blocked numbers cannot be called.',
    action: 'Call an ordinary fixed or mobile number.',
  },
  'destination-is-dial-in': {
    status: 403,
    meaning: 'The number is a dial-in number of this platform.',
    action: "Call the person's own number.",
  },
  'room-not-found': {
    status: 404,
    meaning: 'You have no room with this id.',
    action: 'Check the id. `GET /v1/rooms` lists your rooms.',
  },
  'session-not-found': {
    status: 404,
    meaning: 'You have no session with this id.',
    action: 'Check the id. `GET /v1/sessions` lists your sessions.',
  },
  'participant-not-found': {
    status: 404,
    meaning: 'You have no participant with this id.',
    action: 'Check the id. `GET /v1/rooms/{roomId}/participants` lists the participants of a room.',
  },
  'pin-not-found': {
    status: 404,
    meaning: 'The room has no personal PIN with this id.',
    action: 'Check the id. `GET /v1/rooms/{roomId}/pins` lists the personal PINs of a room.',
  },
  'key-not-found': {
    status: 404,
    meaning: 'You have no API key with this id.',
    action: 'Check the id. `GET /v1/keys` lists your keys.',
  },
  'endpoint-not-found': {
    status: 404,
    meaning: 'You have no endpoint with this id.',
    action: 'Check the id. `GET /v1/endpoints` lists your endpoints.',
  },
  'delivery-not-found': {
    status: 404,
    meaning: 'You have no delivery with this id.',
    action: 'Check the id. `GET /v1/endpoints/{endpointId}/deliveries` lists the deliveries of an endpoint.',
  },
  'provider-account-not-found': {
    status: 404,
    meaning: 'The tenant has no provider account with this id.',
    action: 'Check the id. `GET /v1/provider-accounts` lists your accounts.',
  },
  'sip-account-not-found': {
    status: 404,
    meaning: 'You have no SIP account with this id.',
    action: 'Check the id. `GET /v1/sip-accounts` lists your SIP accounts.',
  },
  'tenant-not-found': {
    status: 404,
    meaning: 'No tenant has this id.',
    action: 'Check the id. `GET /v1/operator/tenants` lists the tenants.',
  },
  'number-not-found': {
    status: 404,
    meaning: 'The platform has no such dial-in number.',
    action: 'Check the number. `GET /v1/operator/numbers` lists the numbers.',
  },
  'route-not-found': {
    status: 404,
    meaning: 'The API has no such path.',
    action: 'Check the path. `/docs` lists all operations.',
  },
  'method-not-allowed': {
    status: 405,
    meaning: 'The path does not support this method.',
    action: 'Use one of the methods in the `allow` header.',
  },
  'request-timeout': {
    status: 408,
    meaning: 'The request took too long to arrive.',
    action: 'Send it again. If your network is slow, send less in one request.',
  },
  'room-ended': {
    status: 409,
    meaning: 'The room has ended.',
    action: 'Create a new room.',
  },
  'room-full': {
    status: 409,
    meaning: 'The room has reached `maxParticipants`.',
    action: 'Wait until a participant leaves, or raise `maxParticipants` (at most 49).',
  },
  'room-not-open': {
    status: 409,
    meaning: 'The room is not open: `startsAt` is in the future or `endsAt` has passed.',
    action: 'Join between `startsAt` and `endsAt`, or change them. `detail` names the time.',
  },
  'external-id-taken': {
    status: 409,
    meaning: 'Another active room has this `externalId`.',
    action: 'End that room, or choose another `externalId`.',
  },
  'number-in-use': {
    status: 409,
    meaning: 'The number already leads to a room without a PIN, or has rooms with PINs and cannot lead to one without.',
    action: 'Choose another number, or end the rooms on this number.',
  },
  'too-many-pins': {
    status: 409,
    meaning: 'The room has 500 personal PINs.',
    action: 'Delete personal PINs that are no longer needed.',
  },
  'participant-not-connected': {
    status: 409,
    meaning: 'The participant is not connected.',
    action: 'Check `state` in the roster.',
  },
  'not-supported': {
    status: 409,
    meaning: 'The provider does not support this operation for this kind of connection.',
    action: 'Use it for participants on a telephone.',
  },
  'too-many-endpoints': {
    status: 409,
    meaning: 'You have 10 endpoints.',
    action: 'Delete an endpoint.',
  },
  'endpoint-disabled': {
    status: 409,
    meaning: 'The endpoint is disabled.',
    action: 'Enable it: `PATCH /v1/endpoints/{endpointId}` with `{"enabled":true}`.',
  },
  'too-many-keys': {
    status: 409,
    meaning: 'The tenant has 50 live keys.',
    action: 'Revoke a key that is not used.',
  },
  'key-inactive': {
    status: 409,
    meaning: 'The key is expired or revoked.',
    action: 'Create a new key.',
  },
  'last-admin-key': {
    status: 409,
    meaning: 'The key is your last live key with the scope `admin`.',
    action: 'Create another key with the scope `admin` first, or rotate this key.',
  },
  'idempotency-key-reused': {
    status: 409,
    meaning: 'The `Idempotency-Key` was used for a different request.',
    action: 'Use a new key for each new request.',
  },
  'idempotency-in-progress': {
    status: 409,
    meaning: 'The first request with this `Idempotency-Key` is still in progress.',
    action: 'Repeat the request with the same key after `retry-after` seconds to get its answer.',
  },
  'too-many-provider-accounts': {
    status: 409,
    meaning: 'You have 10 provider accounts.',
    action: 'Delete a provider account.',
  },
  'application-taken': {
    status: 409,
    meaning: 'Another provider account or the platform uses this application.',
    action: 'Create another application at the provider.',
  },
  'application-in-use': {
    status: 409,
    meaning: 'The application has live calls that are not calls of Partyline.',
    action: 'Create an application that only Partyline uses.',
  },
  'too-many-sip-accounts': {
    status: 409,
    meaning: 'You have 100 SIP accounts.',
    action: 'Delete a SIP account.',
  },
  'provider-account-in-use': {
    status: 409,
    meaning: 'Numbers use the provider account, or one of its sessions or calls is live.',
    action: 'Ask the operator to move its numbers. Retry when all hang-ups are confirmed.',
  },
  'provider-account-changed': {
    status: 409,
    meaning: 'Another request rotated or deleted the provider account at the same time.',
    action: 'Read the account again.',
  },
  'provider-account-gone': {
    status: 409,
    meaning: 'The provider account of this room or connection was deleted.',
    action: 'Ask the operator to give the number another account.',
  },
  'number-exists': {
    status: 409,
    meaning: 'The number exists already.',
    action: 'Change it with `PATCH /v1/operator/numbers/{number}`.',
  },
  'number-has-rooms': {
    status: 409,
    meaning: 'Active rooms use the number.',
    action: 'Wait until the rooms on the number have ended.',
  },
  'tenant-not-suspended': {
    status: 409,
    meaning: 'The tenant is not suspended.',
    action: 'Suspend the tenant first.',
  },
  'tenant-has-numbers': {
    status: 409,
    meaning: 'The tenant has dedicated numbers.',
    action: 'Assign the numbers to other tenants, or delete them.',
  },
  'tenant-has-legs': {
    status: 409,
    meaning: 'The tenant has connections that are not confirmed closed.',
    action: 'Retry after `retry-after` seconds.',
  },
  'event-expired': {
    status: 410,
    meaning: 'The event is older than 30 days, the time for which events are retained.',
    action: 'Leave out `after` or `Last-Event-ID`, or replay newer events.',
  },
  'version-mismatch': {
    status: 412,
    meaning: 'The room has changed: its version is not the version in `If-Match`.',
    action: 'Read the room again and send its current `etag`.',
  },
  'body-too-large': {
    status: 413,
    meaning: 'The body is larger than 64 kB.',
    action: 'Send at most 64 kB.',
  },
  'wrong-media-type': {
    status: 415,
    meaning: 'The body is not JSON.',
    action: 'Send `content-type: application/json`.',
  },
  'invalid-body': {
    status: 422,
    meaning: 'The body is invalid.',
    action: 'Correct the fields in `errors`.',
  },
  'invalid-query': {
    status: 422,
    meaning: 'The query is invalid.',
    action: 'Correct the parameters in `errors`. `after` must be the `next` of one of your pages.',
  },
  'invalid-idempotency-key': {
    status: 422,
    meaning: 'The `Idempotency-Key` is invalid.',
    action: 'Send one key of 1 to 255 printable ASCII characters.',
  },
  'invalid-if-match': {
    status: 422,
    meaning: '`If-Match` is not an `ETag` of a room.',
    action: 'Send the version in double quotes, for example `if-match: "2"`.',
  },
  'not-e164': {
    status: 422,
    meaning: 'The phone number is not in E.164 format.',
    action: 'Send a plus, the country code and the number, without spaces.',
  },
  'not-a-number': {
    status: 422,
    meaning: 'No country has a phone number like this.',
    action: 'Check the country code and the number of digits.',
  },
  'unknown-number': {
    status: 422,
    meaning: 'You have no dial-in number that matches `number` or `numberWanted`.',
    action: '`GET /v1/numbers` lists your numbers. Leave out both fields to use a shared number.',
  },
  'number-not-dedicated': {
    status: 422,
    meaning: 'A room without PINs, or a provider account of a tenant, needs a dedicated number.',
    action: 'Use a dedicated number. `GET /v1/numbers?kind=dedicated` lists yours.',
  },
  'invalid-schedule': {
    status: 422,
    meaning: 'The times of the room are not in order.',
    action: 'Send `startsAt` before `endsAt`, and `endsAt` and `expiresAt` in the future.',
  },
  'url-rejected': {
    status: 422,
    meaning: 'Events cannot be sent to this URL.',
    action: 'Use an https URL with a public host, without a user name, on port 443, 80 or 8443.',
  },
  'provider-account-rejected': {
    status: 422,
    meaning: 'The provider rejected the credentials.',
    action: 'Compare them with the dashboard of the provider. `errors` names the side, `detail` the reason.',
  },
  'region-not-available': {
    status: 422,
    meaning: 'Accounts cannot be in this region here.',
    action: 'Use a region that `detail` names, or leave it out.',
  },
  'trunk-address-rejected': {
    status: 422,
    meaning: 'The host or an address of the SIP trunk is not public.',
    action: 'Give the host and the addresses that your SIP trunk has on the internet.',
  },
  'provider-account-differs': {
    status: 422,
    meaning: 'The credentials belong to another application, project or API key.',
    action: 'Rotate only secrets. Create another provider account for another application.',
  },
  'currency-without-rates': {
    status: 422,
    meaning: 'The price list has no rates in this currency for everything that is charged.',
    action: 'Add the rates that `detail` names first.',
  },
  'rate-limited': {
    status: 429,
    meaning: 'Too many requests in this minute. Operations that end something have 20 times the limit.',
    action: 'Wait `retry-after` seconds. The headers `RateLimit-Policy` and `RateLimit` show the limit.',
  },
  'limit-live-rooms': {
    status: 429,
    meaning: 'You have reached your limit of active rooms.',
    action: 'End rooms that are not needed. `GET /v1/limits` shows your limits.',
  },
  'limit-live-legs': {
    status: 429,
    meaning: 'You have reached your limit of connected participants.',
    action: 'Wait until a participant leaves. `GET /v1/limits` shows your limits.',
  },
  'limit-dial-outs': {
    status: 429,
    meaning: 'You have reached your limit of outgoing calls per minute.',
    action: 'Wait a minute. `GET /v1/limits` shows your limits.',
  },
  'dial-queue-full': {
    status: 429,
    meaning: 'Too many calls wait to be placed through the provider account.',
    action: 'Retry after `retry-after` seconds. The provider accepts about two calls per second and account.',
  },
  'fraud-limit': {
    status: 429,
    meaning: 'Your outgoing calls exceed a fraud threshold.',
    action: 'Wait. `detail` names the meter. If the calls are not yours, revoke your keys.',
  },
  'too-many-streams': {
    status: 429,
    meaning: 'You have 10 open event streams.',
    action: 'Close a stream, or share one.',
  },
  'headers-too-large': {
    status: 431,
    meaning: 'The headers are larger than 16 kB.',
    action: 'Send fewer or shorter headers.',
  },
  'internal-error': {
    status: 500,
    meaning: 'An error on our side.',
    action: 'Retry. If the error persists, contact the operator with the `requestId`.',
  },
  'no-numbers': {
    status: 503,
    meaning: 'The platform has no dial-in number.',
    action: 'Ask the operator to add one.',
  },
  'accounts-not-configured': {
    status: 503,
    meaning: 'This platform does not support provider accounts of tenants.',
    action: 'Ask the operator to set `MASTER_KEYS`.',
  },
  'sip-not-configured': {
    status: 503,
    meaning: 'This platform has no SIP servers.',
    action: 'Ask the operator to set them up, or use an account at Vonage.',
  },
  'master-key-missing': {
    status: 503,
    meaning: 'The master key that encrypts the credentials of your provider account is missing.',
    action: 'Ask the operator to restore the master key.',
  },
  'temporarily-unavailable': {
    status: 503,
    meaning: 'The database or the job queue is unavailable.',
    action: 'Retry after `retry-after` seconds. With an `Idempotency-Key` a retry is safe.',
  },
  'provider-unreachable': {
    status: 503,
    meaning: 'The provider cannot be reached. Nothing has changed.',
    action: 'Retry after `retry-after` seconds.',
  },
  'provider-rate-limited': {
    status: 503,
    meaning: 'Too many requests are queued for the provider account. Nothing has changed.',
    action: 'Retry after `retry-after` seconds.',
  },
  stopping: {
    status: 503,
    meaning: 'This server is shutting down.',
    action: 'Connect again with `Last-Event-ID`. Another server continues the stream.',
  },
  'provider-no-answer': {
    status: 504,
    meaning: 'The outcome is unknown: the request may or may not have taken effect.',
    action: 'Retry with the same `Idempotency-Key`. Without a key, check the state first.',
  },
  'webhook-rejected': {
    status: 401,
    meaning: 'The webhook is not signed by the provider.',
    action: 'Check the signature secret.',
    audience: 'webhook',
  },
  'webhook-replayed': {
    status: 401,
    meaning: 'The signature of the webhook was used before.',
    action: 'Sign each webhook separately.',
    audience: 'webhook',
  },
  'no-call-id': {
    status: 400,
    meaning: 'The webhook names no call.',
    action: 'Send only voice webhooks of the provider to this URL.',
    audience: 'webhook',
  },
  'bad-provider-account': {
    status: 400,
    meaning: 'The settings of a provider account are invalid.',
    action: 'Correct the named settings.',
    audience: 'internal',
  },
  'unknown-provider-kind': {
    status: 400,
    meaning: 'The settings name a kind of provider that does not exist.',
    action: 'Use one of the kinds that the error names.',
    audience: 'internal',
  },
  'control-rejected': {
    status: 401,
    meaning: 'The request to media-gateway is not signed with the secret of the deployment, or was used before.',
    action: 'Set the same GATEWAY_SECRET for media-gateway and the other services, and check their clocks.',
    audience: 'internal',
  },
  'bad-control-request': {
    status: 400,
    meaning: 'A request to media-gateway is invalid.',
    action: 'Correct the named field.',
    audience: 'internal',
  },
  'call-not-found': {
    status: 404,
    meaning: 'media-gateway has no such call, or the call is over.',
    action: 'Nothing is left to do with this call.',
    audience: 'internal',
  },
  'call-not-answered': {
    status: 503,
    meaning: 'media-gateway has the call, but it does not follow a plan yet.',
    action: 'Retry after `retry-after` seconds.',
    audience: 'internal',
  },
  'connection-not-found': {
    status: 404,
    meaning: 'media-gateway has no such connection.',
    action: 'Nothing is left to do with this connection.',
    audience: 'internal',
  },
  'gateway-not-ready': {
    status: 503,
    meaning: 'media-gateway has no connection to Janus, is full, or is stopping.',
    action: 'Retry at another gateway, or after `retry-after` seconds.',
    audience: 'internal',
  },
  'nameless-conversation': {
    status: 500,
    meaning: 'A call plan joins a conversation without a name.',
    action: 'Report a bug.',
    audience: 'internal',
  },
} as const satisfies Readonly<Record<string, ReasonEntry>>;

export type Reason = keyof typeof REASONS;

/**
 * Reasons of a provider pass through with the prefix `upstream-` and are too many to list. Their
 * HTTP status follows from the outcome: rejected or busy is 502, no usable answer is 504.
 */
export const PROVIDER_REASONS = {
  pattern: 'upstream-*',
  meanings: {
    502: 'The provider rejected the request (`upstream-409`) or was too busy (`upstream-429`). Nothing has changed.',
    504: 'The provider did not answer (`upstream-timeout`).',
  },
  action: 'Retry, after `retry-after` seconds if the answer has that header.',
} as const;

/** The reason of a provider, as the API shows it. */
export type ProviderReason = `upstream-${string}`;

/** The table's entry of a reason; undefined for the reason of a provider. */
export const findReason = (reason: string): ReasonEntry | undefined =>
  Object.hasOwn(REASONS, reason) ? REASONS[reason as Reason] : undefined;
