import { checkJanus } from '@partyline/janus/admin/check-janus';
import { AUDIO_BRIDGE_PLUGIN } from '@partyline/janus/audio-bridge/audio-bridge-handle';
import { SIP_PLUGIN } from '@partyline/janus/sip/sip-handle';
import { VIDEO_ROOM_PLUGIN } from '@partyline/janus/video-room/video-room-handle';
import type { TrunkAccountRow } from '@partyline/store/provider-accounts/trunk-accounts';
import type { GatewayNumber, Login } from '@partyline/store/sip-accounts/sip-accounts';
import { JANUS_VARIABLES } from '../janus/janus-binary.ts';
import type { JanusServer } from '../janus/janus.ts';
import { KAMAILIO_VARIABLES } from '../kamailio/kamailio-binary.ts';
import { callRpc, type KamailioServer } from '../kamailio/kamailio.ts';

const CHECK_TIMEOUT_MS = 10_000;

/** Lists the variables of servers that run already which are set. */
export const listServerVariables = (): string[] =>
  [...KAMAILIO_VARIABLES, ...JANUS_VARIABLES].filter((name) => process.env[name]);

/** @throws Error if the environment names no server */
export function assertServersNamed(): void {
  if (listServerVariables().length === 0)
    throw new Error(
      `--existing-servers needs a server in the environment: ${KAMAILIO_VARIABLES.join(', ')}, ` +
        `or ${JANUS_VARIABLES.join(', ')}.`,
    );
}

/**
 * Returns the Janus of JANUS_VARIABLES, which runs already and is never stopped; undefined if none
 * of them is set.
 * @throws Error that names what is missing or wrong, and the fix
 */
export async function findExistingJanus(): Promise<JanusServer | undefined> {
  const given = readVariables('a Janus server', JANUS_VARIABLES);
  if (given === undefined) return undefined;
  const address = {
    url: given.JANUS_URL,
    adminUrl: given.JANUS_ADMIN_URL,
    apiSecret: given.JANUS_API_SECRET,
    adminSecret: given.JANUS_ADMIN_SECRET,
    adminKey: given.JANUS_ADMIN_KEY,
  };
  const check = await checkJanus({
    ...address,
    admin: { url: address.adminUrl, secret: address.adminSecret },
    plugins: [SIP_PLUGIN, AUDIO_BRIDGE_PLUGIN, VIDEO_ROOM_PLUGIN],
    requestTimeoutMs: CHECK_TIMEOUT_MS,
  });
  if (!check.isUsable) throw new Error(check.message);
  const reject = rejectWith('The Janus server of JANUS_URL cannot be stopped or restarted.');
  return {
    name: 'janus',
    ...address,
    external: true,
    get pid() {
      return reject();
    },
    crash: async () => reject(),
    pause: reject,
    resume: reject,
    restart: async () => reject(),
    stop: () => Promise.resolve(),
  };
}

/**
 * Returns the kamailio of KAMAILIO_VARIABLES, which runs already and is never stopped; undefined if
 * none of them is set. `assertUnused` and media-gateway check it.
 * @throws Error that names what is missing
 */
export function findExistingKamailio(): KamailioServer | undefined {
  const given = readVariables('a kamailio server', KAMAILIO_VARIABLES);
  if (given === undefined) return undefined;
  const reject = rejectWith(
    'The kamailio server of KAMAILIO_SIP cannot be stopped or restarted, and its address file cannot be changed.',
  );
  return {
    name: 'kamailio',
    sipUri: given.KAMAILIO_SIP,
    tlsUri: undefined,
    rpcUrl: given.KAMAILIO_RPC_URL,
    rpcSecret: given.KAMAILIO_RPC_SECRET,
    gatewaySecret: given.KAMAILIO_GATEWAY_SECRET,
    external: true,
    get pid() {
      return reject();
    },
    addTrunk: async () => reject(),
    crash: async () => reject(),
    pause: reject,
    resume: reject,
    restart: async () => reject(),
    stop: () => Promise.resolve(),
  };
}

/** The tenants in the database of a stack, as far as kamailio learns of them. */
export interface OwnTenants {
  readonly trunks: readonly TrunkAccountRow[];
  readonly phones: readonly Login[];
  readonly numbers: readonly GatewayNumber[];
}

/** Of `dlg.list`. */
interface ListedDialog {
  readonly state: number | string;
}

/** Of `htable.dump`. */
interface DumpedSlot {
  readonly slot: readonly { readonly name: string; readonly value: number | string }[];
}

/** The state of a dialog that is over. */
const DELETED = 5;

/**
 * Checks that a stack that is about to start may use a kamailio: its services delete from there the
 * tenants that their database does not have, and end calls that they have not placed.
 * @throws Error if kamailio has calls or entries of other tenants, or does not say
 */
export async function assertUnused(kamailio: KamailioServer, own: OwnTenants): Promise<void> {
  let calls: number;
  let entries: number;
  try {
    const dialogs = (await callRpc(kamailio, 'dlg.list')) as ListedDialog[];
    const table = (await callRpc(kamailio, 'htable.dump', ['accounts'])) as DumpedSlot[];
    calls = dialogs.filter(({ state }) => Number(state) < DELETED).length;
    const names = namesOf(own);
    entries = table.flatMap(({ slot }) => slot.filter((entry) => !names.has(toName(entry)))).length;
  } catch (error) {
    throw new Error(
      `The kamailio at ${kamailio.rpcUrl} does not say whether it is in use. Check KAMAILIO_RPC_URL and ` +
        'KAMAILIO_RPC_SECRET, and let it run deploy/kamailio/kamailio.cfg of this version.',
      { cause: error },
    );
  }
  if (calls === 0 && entries === 0) return;
  throw new Error(
    `The kamailio at ${kamailio.sipUri} is in use: this stack would end its calls (${calls}) and delete the trunks, ` +
      `phones and numbers of others from its table "accounts" (entries: ${entries}). Use another kamailio. If it ` +
      'is for you alone, end its calls and restart it.',
  );
}

/** Returns the names of the entries that cleanup-worker writes; kamailio.cfg explains them. */
function namesOf({ trunks, phones, numbers }: OwnTenants): Set<string> {
  const digitsOf = (number: string): string => number.replace('+', '');
  return new Set([
    ...trunks.flatMap((trunk) => [
      `trunk:${trunk.id}`,
      ...trunk.addresses.map((address) => `source:${address}`),
      ...trunk.numbers.map((number) => `number:${digitsOf(number)} ${trunk.id}`),
    ]),
    ...phones.map(({ id }) => `phone:${id}`),
    ...numbers.map(({ tenantId, number }) => `dial:${tenantId ?? ''}:${digitsOf(number)}`),
  ]);
}

/** A number may be of another account: the account, with which the value begins, is part of its name. */
const toName = ({ name, value }: DumpedSlot['slot'][number]): string =>
  name.startsWith('number:') ? `${name} ${String(value).split(' ')[0]}` : name;

/** Returns the variables; undefined if none is set. @param title the server, with an article */
function readVariables<Name extends string>(
  title: string,
  names: readonly Name[],
): Readonly<Record<Name, string>> | undefined {
  const missing = names.filter((name) => !process.env[name]);
  if (missing.length === names.length) return undefined;
  if (missing.length > 0)
    throw new Error(
      `${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} not set. Set all of ${names.join(', ')} ` +
        `for a server that runs already, or none of them to start ${title}.`,
    );
  return Object.fromEntries(names.map((name) => [name, process.env[name]])) as Record<Name, string>;
}

const rejectWith = (message: string) => (): never => {
  throw new Error(message);
};
