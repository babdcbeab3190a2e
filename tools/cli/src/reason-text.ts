/** What the command line says for one reason of the API, in its own commands and options. */
export interface ReasonText {
  /**
   * Replaces the API's message where that speaks of requests. The invalid values follow a colon.
   */
  readonly message?: string;
  /** The next step: a command, an option or an argument. */
  readonly fix: string;
  /** The same command can succeed later; `fix` follows the time to wait. */
  readonly passes?: true;
  /** The API's own fix names values of this deployment, and comes before `fix`. */
  readonly hasApiFix?: true;
}

/** The address, as a user can change it. */
export const ADDRESS = 'the address (PARTYLINE_URL, or partyline login --url)';
const OTHER_VERSION: ReasonText = {
  message: 'This Partyline does not know the command.',
  fix: 'It may be older than this tool: partyline doctor compares the versions.',
};
const INVALID_VALUES: ReasonText = {
  message: 'Some values are invalid:',
  fix: 'Correct them and try again. --help explains each option.',
};
const MALFORMED: ReasonText = {
  message: 'Partyline received a malformed request.',
  fix: `Check ${ADDRESS}, and any proxy on the way.`,
};
const LIMITS = 'partyline limits shows your limits.';
const NEW_APPLICATION = 'Create an application that only Partyline uses, and name it in the --file (docs/accounts.md).';
const OTHER_ACCOUNT =
  'Ask the operator to give the number another account: partyline operator numbers change --provider-account.';

/** By reason: those of libs/domain/src/reasons.ts, and those of the SDK. A test compares them. */
export const TEXT_BY_REASON: Readonly<Record<string, ReasonText>> = {
  'missing-key': { message: 'The key is missing.', fix: 'Log in: partyline login --url <url> --key <key>.' },
  'unknown-key': {
    message: 'This key is unknown or revoked.',
    fix:
      'partyline whoami shows the key and the address in use. Check that the key is complete and belongs to this ' +
      'address, or log in with another: partyline login.',
  },
  'expired-key': {
    message: 'This key has expired.',
    fix: 'Log in with a newer key: partyline login.',
  },
  'spend-limit': {
    fix:
      'partyline usage spend shows which limit is reached. Raise the limit of the room with partyline usage limit, ' +
      'or ask the operator.',
  },
  'scope-missing': {
    fix: 'Log in with a key that has the scope (partyline login), or create one: partyline keys create --scopes.',
  },
  'scope-exceeded': {
    fix: 'Log in with a key that has these scopes, or give fewer --scopes. partyline keys list shows the scopes.',
  },
  'expiry-exceeded': {
    fix: 'Give an earlier --expires-at, or log in with a key that expires later. partyline keys list shows both.',
  },
  'tenant-suspended': {
    fix: 'Ask the operator. partyline hang-ups, partyline usage show and partyline audit still work.',
  },
  'destination-not-allowed': {
    fix: 'Ask the operator to allow the country: partyline operator tenants change --allowed-countries.',
  },
  'destination-premium': { fix: 'Give the <phone> of a landline or a mobile, or ask the person to dial in.' },
  'destination-is-dial-in': { fix: "Give the person's own <phone>. partyline numbers lists the dial-in numbers." },
  'room-not-found': { fix: 'Check the id: partyline rooms list lists your rooms.' },
  'session-not-found': { fix: 'Check the id: partyline sessions list lists your sessions.' },
  'participant-not-found': {
    fix: 'Check the id: partyline participants list lists the participants of a room.',
  },
  'pin-not-found': { fix: 'Check the id: partyline pins list lists the personal PINs of a room.' },
  'key-not-found': { fix: 'Check the id: partyline keys list lists your keys.' },
  'endpoint-not-found': { fix: 'Check the id: partyline endpoints list lists your endpoints.' },
  'delivery-not-found': { fix: 'Check the id: partyline endpoints deliveries lists the deliveries of an endpoint.' },
  'provider-account-not-found': {
    fix: 'Check the id: partyline accounts list lists the accounts of a tenant.',
  },
  'sip-account-not-found': { fix: 'Check the id: partyline sip-accounts list.' },
  'tenant-not-found': { fix: 'Check the id: partyline operator tenants list lists the tenants.' },
  'number-not-found': { fix: 'Check the number: partyline operator numbers list lists the numbers.' },
  'route-not-found': OTHER_VERSION,
  'method-not-allowed': OTHER_VERSION,
  'room-ended': { fix: 'Create a new room: partyline rooms create.' },
  'room-full': {
    fix:
      'Wait until a participant leaves, remove one with partyline participants remove, or raise the limit with ' +
      'partyline rooms update --max-participants.',
  },
  'room-not-open': { fix: 'Wait, or change the times: partyline rooms update --starts-at --ends-at.' },
  'external-id-taken': {
    message: 'Another active room has this --external-id.',
    fix: 'Find it with partyline rooms list --external-id and end it, or choose another --external-id.',
  },
  'number-in-use': {
    fix: 'Choose another --number, or end the rooms on this number. partyline rooms list shows the number of each.',
  },
  'too-many-pins': { fix: 'Delete PINs that are not needed: partyline pins list, then partyline pins remove.' },
  'participant-not-connected': {
    fix: 'partyline participants show prints the state: it must be answered or joined.',
  },
  'not-supported': {
    fix: 'Use it for participants on the phone. partyline participants show prints the kind.',
  },
  'too-many-endpoints': {
    fix: 'Delete one that is not needed: partyline endpoints list, then partyline endpoints delete.',
  },
  'endpoint-disabled': { fix: 'Enable it: partyline endpoints update --enabled yes.' },
  'too-many-keys': {
    fix: 'partyline keys list shows when each key was last used. Revoke one that is not: partyline keys revoke.',
  },
  'key-inactive': { fix: 'Create a new key: partyline keys create.' },
  'last-admin-key': {
    fix: 'Create another first (partyline keys create --scopes admin), or replace this one: partyline keys rotate.',
  },
  'idempotency-key-reused': {
    message: 'This --idempotency-key belongs to another command.',
    fix: 'Use another --idempotency-key, or leave the option out.',
  },
  'idempotency-in-progress': {
    message: 'The same command with this --idempotency-key is still running.',
    passes: true,
    fix: 'It then prints the result of the first one.',
  },
  'too-many-provider-accounts': {
    fix: 'Delete one that is not needed: partyline accounts list, then partyline accounts delete.',
  },
  'too-many-sip-accounts': {
    fix: 'Delete one that is not needed: partyline sip-accounts list, then partyline sip-accounts delete.',
  },
  'application-taken': { fix: NEW_APPLICATION },
  'application-in-use': { fix: NEW_APPLICATION },
  'provider-account-in-use': {
    fix:
      'Ask the operator to give its numbers another account (partyline operator numbers change --provider-account), ' +
      'and wait until partyline hang-ups lists no call of it.',
  },
  'provider-account-changed': {
    message: 'The account was rotated or deleted at the same time.',
    fix: 'Look at it with partyline accounts show, and repeat the command if it is still needed.',
  },
  'provider-account-gone': { fix: OTHER_ACCOUNT },
  'number-exists': { fix: 'Change it with partyline operator numbers change.' },
  'number-has-rooms': {
    fix: 'Wait until the rooms have ended, or ask their tenant to end them: partyline rooms end.',
  },
  'tenant-not-suspended': { fix: 'Suspend it first: partyline operator tenants suspend.' },
  'tenant-has-numbers': {
    fix:
      'partyline operator numbers list --tenant lists them. Give each to another tenant or to all (partyline ' +
      'operator numbers change --tenant), or remove it (partyline operator numbers remove).',
  },
  'tenant-has-legs': { passes: true, fix: 'partyline operator tenants show prints the state.' },
  'event-expired': {
    message: 'Events are kept for 30 days, and this one is older.',
    fix: 'Use --after start to start with the oldest event. For partyline endpoints replay, give a later time.',
  },
  'version-mismatch': {
    message: 'The room has another version than --if-version.',
    fix: 'Look at it again with partyline rooms show, and use the version that it prints.',
  },
  'body-too-large': {
    message: 'The values are longer than 64 kB together.',
    fix: 'Shorten the longest, such as --metadata or the --file, or set fewer at a time.',
  },
  'headers-too-large': {
    message: 'The key or the --idempotency-key is too long.',
    fix: 'Check the key with partyline whoami, and give a shorter --idempotency-key.',
  },
  'request-timeout': {
    message: 'The command took too long to reach Partyline.',
    passes: true,
    fix: `If it still fails: check the network, and any proxy in front of ${ADDRESS}.`,
  },
  'malformed-request': MALFORMED,
  'wrong-media-type': MALFORMED,
  'invalid-body': INVALID_VALUES,
  'invalid-query': INVALID_VALUES,
  'invalid-idempotency-key': {
    message: 'The --idempotency-key is invalid.',
    fix: 'Use 1 to 255 printable ASCII characters as --idempotency-key.',
  },
  'invalid-if-match': {
    message: 'The --if-version is not a version of a room.',
    fix: 'Use the version that partyline rooms show prints.',
  },
  'not-e164': {
    message: 'The phone number has no country code, or is not written in full.',
    fix: 'Write it with a plus and the country code, without spaces: partyline calls dial <room> +442079460018.',
  },
  'not-a-number': {
    message: 'No country has a phone number like this.',
    fix: 'Check the country code and the number of digits of <phone>.',
  },
  'unknown-number': {
    fix:
      'partyline numbers lists the numbers that you may use. Leave out --number, or give fewer ' +
      '--number-wanted-country, --number-wanted-language and the like, to get a shared one.',
  },
  'number-not-dedicated': {
    fix:
      'partyline numbers --kind dedicated lists yours. The operator dedicates one to a tenant: ' +
      'partyline operator numbers change --tenant.',
  },
  'invalid-schedule': { fix: 'Give a future --ends-at that is later than --starts-at, and a future --expires-at.' },
  'url-rejected': { hasApiFix: true, fix: 'Then repeat the command with another <url>.' },
  'provider-account-rejected': {
    fix: "Compare the --file with the provider's dashboard (docs/accounts.md). Nothing was stored.",
  },
  'region-not-available': { hasApiFix: true, fix: 'It is voice.region in the --file.' },
  'trunk-address-rejected': {
    fix: 'Write the public host and the public addresses of your SIP trunk in the --file, then repeat the command.',
  },
  'provider-account-differs': {
    message: 'These are the credentials of another account.',
    fix: 'Leave the ids out of the --file. For another account, use partyline accounts create.',
  },
  'currency-without-rates': {
    fix: 'Set these rates first (partyline operator rates set --currency), or choose another --currency.',
  },
  'rate-limited': {
    message: 'You sent too many commands in this minute.',
    passes: true,
    fix: LIMITS,
  },
  'limit-live-rooms': {
    fix: `End rooms that are not needed (partyline rooms list --state active), or ask the operator. ${LIMITS}`,
  },
  'limit-live-legs': { fix: `Wait until a participant leaves, or ask the operator for a higher limit. ${LIMITS}` },
  'limit-dial-outs': { passes: true, fix: `The operator can raise the limit. ${LIMITS}` },
  'dial-queue-full': { passes: true, fix: 'The provider accepts about two calls per second. Nothing has changed.' },
  'fraud-limit': {
    passes: true,
    fix: 'The operator can raise the limit. If these calls are not yours, revoke your keys: partyline keys revoke.',
  },
  'too-many-streams': { fix: 'Stop another partyline tail, or share its output.' },
  'internal-error': {
    message: 'An error on the side of the server.',
    fix: 'Repeat the command. If it fails again, send the request id to the operator.',
  },
  'no-numbers': { fix: 'Ask the operator to add one: partyline operator numbers add.' },
  'accounts-not-configured': {
    fix: 'Ask the operator to set MASTER_KEYS (docs/accounts.md), then repeat the command.',
  },
  'sip-not-configured': {
    fix: 'Ask the operator to set up gateways (docs/self-hosted.md), then repeat the command.',
  },
  'master-key-missing': {
    fix: 'Ask the operator to restore the master key (docs/accounts.md), then repeat the command.',
  },
  'temporarily-unavailable': { passes: true, fix: 'If it still fails: partyline doctor shows what is down.' },
  'provider-unreachable': { passes: true, fix: 'Nothing has changed.' },
  'provider-rate-limited': {
    message: 'Too many commands wait for the provider account.',
    passes: true,
    fix: 'Nothing has changed.',
  },
  stopping: { message: 'The server is shutting down.', passes: true, fix: 'Another server will answer.' },
  'provider-no-answer': {
    message: 'The provider did not answer, so the outcome is unknown.',
    fix: 'partyline rooms show prints the current state, and partyline doctor checks the provider.',
  },
  'not-partyline': {
    message: 'Another server than Partyline answers at this address.',
    fix: `Check ${ADDRESS}, and any proxy on the way.`,
  },
  'invalid-options': { message: 'A value is missing.', fix: 'Give every argument; --help lists them.' },
};

/** The text of a provider's reason (`upstream-*`); they are too many to list. */
export const providerText = (reason: string, status: number): ReasonText =>
  status === 504
    ? { ...TEXT_BY_REASON['provider-no-answer']!, message: `The provider did not answer (${reason}).` }
    : {
        message: `The provider rejected the command or was too busy (${reason}). Nothing has changed.`,
        passes: true,
        fix: 'If it still fails: partyline doctor checks the provider.',
      };
